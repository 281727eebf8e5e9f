"""``arrays``: images or rows that a program holds, with their answers. The estimators train on them.

Such data have no place of their own: a run folder keeps their fingerprint, and whoever goes on with it brings them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from residua.errors import UsageError
from residua.parts import register
from residua.spec import DataSource, DataSpec

if TYPE_CHECKING:
    from residua.data.loaded import Data
    from residua.data.sources.csv_targets import TargetData


@register
@dataclass(frozen=True, kw_only=True)
class Arrays(DataSource):
    """Samples in the memory of the program that trains on them."""

    kind: ClassVar[str] = "arrays"

    def load(self, spec: DataSpec, *, threads: int, storage: str | None) -> Any:  # noqa: D102
        raise UsageError(
            "arrays are in the memory of the program that trained on them: give fit and resume data="
        )


def with_classes(
    samples: np.ndarray,  # rows float64 (N, columns), finite; images uint8 (N, H, W, C)
    labels: np.ndarray,  # int64 (N,), places in ``classes``
    classes: Sequence[str],
    *,
    val_fraction: float = 0.0,
    split_seed: int = 0,
) -> Data:
    """``Data`` for ``fit``: a part of every class is held out for validation, nothing for a test.

    Training images are shifted by up to an eighth of their side, and not mirrored: that may make another class.
    """
    spec = DataSpec(source=Arrays(), val_fraction=val_fraction, split_seed=split_seed)
    pad = samples.shape[1] // 8 if samples.ndim == 4 else 0
    return _divided(spec, samples, labels, classes, kinds=labels, pad=pad)


def with_targets(
    samples: np.ndarray,  # as of ``with_classes``
    targets: np.ndarray,  # float64 (N, T), finite
    *,
    val_fraction: float = 0.0,
    split_seed: int = 0,
) -> TargetData:
    """Data of a regression for ``fit``, with targets ``y0``, ``y1`` ...: standardised by their training part."""
    from residua.data.in_memory import standardisation
    from residua.data.sources.csv_targets import TargetData

    spec = DataSpec(source=Arrays(), val_fraction=val_fraction, split_seed=split_seed)
    rows = np.arange(len(samples))
    images = _divided(spec, samples, rows, (), kinds=np.zeros(len(samples), np.int64))
    mean, std = standardisation(targets[images.train.labels])
    names = tuple(f"y{number}" for number in range(targets.shape[1]))
    return TargetData(images=images, table=targets, targets=names, target_mean=mean, target_std=std)


def _divided(
    spec: DataSpec,
    samples: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    *,
    kinds: np.ndarray,
    pad: int = 0,
) -> Data:
    """The samples divided alike for each of their ``kinds``."""
    from residua.data.in_memory import divided_data
    from residua.data.splits import stratified_split

    rest, held = stratified_split(kinds, spec.val_fraction, spec.split_seed)
    return divided_data(
        spec,
        samples=samples,
        labels=labels,
        classes=classes,
        places={"train": rest, "val": held, "test": np.empty(0, np.int64)},
        splits={"val": f"{spec.val_fraction:g} of the samples, split seed {spec.split_seed}", "test": "none"},
        pad=pad,
    )
