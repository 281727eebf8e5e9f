"""``bench``: how fast every backend runs a network on this machine, in turns, with its answers checked."""

from __future__ import annotations

import dataclasses
import math
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from residua.deploy.backend import Backend, Material
from residua.deploy.evidence import Evidence, gather
from residua.deploy.parity import compare as compare_outputs
from residua.deploy.runtime import Runtime, open_runtime
from residua.deploy.subject import Subject
from residua.errors import ResiduaError, UsageError, nearest
from residua.machine import describe_machine, instruction_set, machine, usable_cores
from residua.parts import parts
from residua.spec import DataSpec
from residua.timing import Timing, compare, spread

SCHEMA = 1
BASELINE = ("eager", "fp32")
_CHECKED = 16  # images at least that answers are compared on
_WARMUP = 2

Name = tuple[str, str]  # backend, precision
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One backend in one precision at one batch size."""

    backend: str
    precision: str
    batch_size: int
    images_per_second: float  # median over the rounds
    images_per_second_quartiles: tuple[float, float]
    speedup: float | None  # to eager, round by round: median; None without it
    speedup_10_90: tuple[float, float] | None
    latency_ms: dict[str, float]  # p50 and p99 of single calls
    calls: int  # that the latency is of
    max_error: float | None  # of a logit, to eager, on the images timed; None without it
    agreement: float | None  # images with the same top class
    setup_seconds: float  # export, compilation, the first calls


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What was timed, and what was not and why."""

    name: str
    images: str  # what they were
    shape: tuple[int, ...]
    threads: int
    rows: tuple[Row, ...]
    skipped: tuple[dict[str, Any], ...]  # backend, precision, reason; batch_size where it is of one
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON values, with the machine."""
        here = {**describe_machine(), "instruction_set": instruction_set(machine().instructions)}
        return {"schema": SCHEMA, **dataclasses.asdict(self), "machine": here}

    def winner(self, backends: Collection[str] | None = None) -> Row:
        """The row of the fastest (of ``backends``), by the geometric mean over the batch sizes; its first batch size.

        Raises ResiduaError if none of them was timed at every batch size.
        """
        sizes = {row.batch_size for row in self.rows}
        found: dict[Name, list[Row]] = {}
        for row in self.rows:
            if backends is None or row.backend in backends:
                found.setdefault((row.backend, row.precision), []).append(row)
        whole = [rows for rows in found.values() if len(rows) == len(sizes)]
        if not whole:
            raise ResiduaError(f"{self.name} has no fastest: nothing was timed at every batch size")
        return max(whole, key=lambda rows: sum(math.log(row.images_per_second) for row in rows))[0]


@dataclass(frozen=True, eq=False)
class _Ready:
    runtime: Runtime
    seconds: float  # that it took to prepare


def bench(
    subject: Subject,
    *,
    batch_sizes: Sequence[int] = (1, 16),
    backends: Sequence[str] | None = None,
    threads: int | None = None,
    data: str | Path | DataSpec | None = None,
    rounds: int = 5,
    seconds: float = 0.5,
    progress: Progress | None = None,
) -> Bench:
    """Time a network with everything that is installed and that the processor has instructions for.

    Args:
        subject: what ``open_subject`` gives for a run, weight file, artifact or name of a network.
        batch_sizes: images that are shown at once.
        backends: only these kinds of ``residua.deploy.backends``; eager is always timed where there is a module.
        threads: for every backend; by default one for each usable core.
        data: the images; by default those of the run, and seeded noise for others.
        rounds: how often each has its turn, in alternation.
        seconds: that a turn lasts, about.
        progress: told what is being done.

    Raises UsageError for wrong values, ResiduaError for a network that cannot be run at all.
    """
    _check(batch_sizes, backends, rounds, seconds, threads)
    tell = progress or (lambda text: None)
    threads = threads or usable_cores()
    evidence = gather(subject.trained, data) if subject.trained else subject.noise()
    pixels, skipped, rows = evidence.test.pixels, [], []
    with _torch_threads(threads), tempfile.TemporaryDirectory(prefix="residua-bench-") as folder:
        ready: dict[Name, _Ready] = {}
        for (kind, precision), make in _candidates(subject, evidence, backends, threads, Path(folder)):
            tell(f"preparing {kind} {precision}")
            begun = time.perf_counter()
            try:
                ready[kind, precision] = _Ready(make(), time.perf_counter() - begun)
            except ResiduaError as error:
                skipped.append({"backend": kind, "precision": precision, "reason": str(error)})
        for size in batch_sizes:
            tell(f"timing batches of {size}")
            found, failed = _timed(ready, pixels, size, rounds=rounds, seconds=seconds)
            rows += found
            skipped += failed
    return Bench(
        name=subject.name,
        images=evidence.test.of,
        shape=pixels.shape[1:],
        threads=threads,
        rows=tuple(rows),
        skipped=tuple(skipped),
        notes=(*subject.notes, *evidence.notes),
    )


def _check(
    batch_sizes: Sequence[int],
    backends: Sequence[str] | None,
    rounds: int,
    seconds: float,
    threads: int | None,
) -> None:
    if not batch_sizes or min(batch_sizes) < 1 or len(set(batch_sizes)) < len(batch_sizes):
        raise UsageError(f"batch sizes are whole numbers above 0, each once, not {list(batch_sizes)}")
    if rounds < 1 or not 0 <= seconds < math.inf or (threads is not None and threads < 1):
        raise UsageError(
            f"needs rounds and threads of 1 or more, seconds of 0 or more, not {rounds}, {threads}, {seconds}"
        )
    for kind in backends or ():
        if kind not in parts("backend"):
            raise UsageError(f"unknown backend {kind!r}{nearest(kind, parts('backend'))}")


def _candidates(
    subject: Subject, evidence: Evidence, backends: Sequence[str] | None, threads: int, folder: Path
) -> Iterator[tuple[Name, Callable[[], Runtime]]]:
    """Every backend and precision that is wanted, with what makes it ready. Eager is the first."""
    known: Mapping[str, type[Backend]] = parts("backend")
    if subject.trained is not None:
        material = Material(trained=subject.trained, evidence=evidence, threads=threads)
        wanted = (() if subject.artifact else known) if backends is None else backends
        for kind in (BASELINE[0], *(kind for kind in sorted(wanted) if kind != BASELINE[0])):
            for precision in known[kind].precisions:
                place = folder / f"{kind}-{precision}"
                yield (kind, precision), partial(_prepare, known[kind](), material, precision, place)
    if subject.artifact is not None:
        artifact = subject.artifact
        kind = next((k for k, b in known.items() if b.format == artifact.format), artifact.format)
        yield (kind, artifact.precision), partial(open_runtime, artifact, threads)


def _prepare(backend: Backend, material: Material, precision: str, place: Path) -> Runtime:
    if reason := backend.lacks(precision):
        raise ResiduaError(reason)
    place.mkdir()
    return backend.prepare(material, precision, place)


def _timed(
    ready: Mapping[Name, _Ready], pixels: np.ndarray, size: int, *, rounds: int, seconds: float
) -> tuple[list[Row], list[dict[str, Any]]]:
    """The rows of a batch size, and what failed at it."""
    batches = (
        [np.resize(pixels, (size, *pixels.shape[1:]))]
        if size > len(pixels)
        else [
            np.ascontiguousarray(pixels[start : start + size])
            for start in range(0, max(min(len(pixels), _CHECKED) // size, 1) * size, size)
        ]
    )
    logits: dict[Name, np.ndarray] = {}
    setup: dict[Name, float] = {}
    failed = []
    for name, one in ready.items():
        begun = time.perf_counter()
        try:
            logits[name] = np.concatenate([one.runtime(batch)["logits"] for batch in batches])
        except Exception as error:  # whatever a library says to a batch that it cannot take
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            failed.append({"backend": name[0], "precision": name[1], "batch_size": size, "reason": reason})
        setup[name] = one.seconds + time.perf_counter() - begun
    if not logits:
        return [], failed
    calls = {" ".join(name): partial(ready[name].runtime, batches[0]) for name in logits}
    timings = compare(calls, rounds=rounds, warmup=_WARMUP, min_seconds=seconds, each=True)
    expected = logits.get(BASELINE)
    rows = []
    for name, found in logits.items():
        key = " ".join(name)
        speedup = timings.speedup(key) if expected is not None else None
        rows.append(
            Row(
                backend=name[0],
                precision=name[1],
                batch_size=size,
                **_speed(timings.timings[key], size),
                speedup=speedup.median if speedup else None,
                speedup_10_90=(speedup.low, speedup.high) if speedup else None,
                max_error=None if expected is None else compare_outputs(found, expected)[0],
                agreement=None if expected is None else _agreement(found, expected),
                setup_seconds=setup[name],
            )
        )
    return rows, failed


def _speed(timing: Timing, size: int) -> dict[str, Any]:
    calls, quartiles = spread(timing.each, 0.01), timing.quartiles
    return {
        "images_per_second": size / quartiles.median,
        "images_per_second_quartiles": (size / quartiles.high, size / quartiles.low),
        "latency_ms": {"p50": 1e3 * calls.median, "p99": 1e3 * calls.high},
        "calls": len(timing.each),
    }


def _agreement(found: np.ndarray, expected: np.ndarray) -> float | None:
    return float((found.argmax(1) == expected.argmax(1)).mean()) if found.ndim == 2 else None


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
