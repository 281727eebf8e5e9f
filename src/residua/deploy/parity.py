"""Whether an artifact answers as its network does: on real images, in batches of several sizes, at another size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from residua.deploy.artifact import Parity
from residua.deploy.evidence import Images
from residua.deploy.program import Program, other_size
from residua.deploy.runtime import EagerRuntime, Runtime
from residua.errors import ResiduaError
from residua.evaluation.metrics import log_softmax

BATCHES = (1, 2, 3, 5)  # tried one after another, and then full ones
_FULL = 32
# what the largest output may change by, as a share of it
TOLERANCES = {"fp32": 1e-3, "fp16": 1e-2, "bf16": 5e-2}


UNMEASURED = Parity(
    images=0,
    of="",
    max_error=0.0,
    relative_error=0.0,
    tolerance=None,
    max_probability_error=None,
    agreement=None,
    batch_sizes=(),
    sizes=(),
    folding_error=0.0,
)


def parity_of(runtime: Runtime, program: Program, images: Images, precision: str, *, classes: bool) -> Parity:
    """Compare a runtime with the network in float32.

    Raises ResiduaError if it differs by more than its precision allows, in batches and sizes that it should take.
    """
    eager = EagerRuntime(program.module, program.outputs)
    tolerance = TOLERANCES.get(precision)
    batches = list(in_batches(images.pixels, BATCHES))
    expected = _logits(eager, batches)
    found = _logits(runtime, batches)
    sizes = []
    error, relative = compare(found, expected)
    if program.dynamic_size and tolerance is not None:
        other = other_size(torch.from_numpy(images.pixels[:2])).numpy()
        sizes.append(tuple(other.shape[-2:]))
        relative = max(relative, compare(_logits(runtime, [other]), _logits(eager, [other]))[1])
    if tolerance is not None and not relative <= tolerance:
        raise ResiduaError(
            f"its answers differ from the network's by {relative:.2g} of the largest; {precision} may differ by "
            f"{tolerance:g}"
        )
    return Parity(
        images=len(images),
        of=images.of,
        max_error=error,
        relative_error=relative,
        tolerance=tolerance,
        max_probability_error=_probability_error(found, expected) if classes else None,
        agreement=float((found.argmax(1) == expected.argmax(1)).mean()) if classes else None,
        batch_sizes=tuple(dict.fromkeys(map(len, batches))),
        sizes=tuple(sizes),
        folding_error=program.folding_error,
    )


def logits_of(runtime: Runtime, pixels: np.ndarray) -> np.ndarray:
    """The logits of any number of images."""
    return _logits(runtime, in_batches(pixels))


def in_batches(pixels: np.ndarray, first: tuple[int, ...] = ()) -> Iterator[np.ndarray]:
    """Images in batches of the sizes ``first``, and then full ones."""
    at = 0
    for size in first:
        if at + size <= len(pixels):
            yield pixels[at : at + size]
            at += size
    for start in range(at, len(pixels), _FULL):
        yield pixels[start : start + _FULL]


def compare(found: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """The largest difference, and the same as a share of the largest expected value; infinite for other shapes."""
    if found.shape != expected.shape:
        return float("inf"), float("inf")
    error = float(np.abs(found.astype(np.float64) - expected).max())
    error = error if np.isfinite(error) else float("inf")
    return error, error / max(float(np.abs(expected).max()), 1e-12)


def _logits(runtime: Runtime, batches: object) -> np.ndarray:
    return np.concatenate([runtime(batch)["logits"] for batch in batches])  # type: ignore[attr-defined]


def _probability_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(np.exp(log_softmax(found)) - np.exp(log_softmax(expected))).max())
