"""What ``load_data`` returns: ``AnyData``, and ``Data`` of images with classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

from residua.data.batches.pipeline import EvalBatch, TrainBatches, eval_batches
from residua.data.splits import Split
from residua.errors import UsageError
from residua.spec import DataSpec, Recipe


@runtime_checkable
class AnyData(Protocol):
    """What a training needs of its data, whatever it is: images, volumes, text, scenes."""

    @property
    def kind(self) -> str:
        """``digits``, ``cifar10``, ``folder`` ..."""
        ...

    @property
    def spec(self) -> DataSpec:
        """What it was loaded from."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample, as the network gets it, without the batch."""
        ...

    @property
    def identity(self) -> dict[str, Any]:
        """What ``data.json`` holds; ``same_identity`` compares two."""
        ...

    @property
    def train(self) -> Sized:
        """The training samples."""
        ...

    @property
    def val(self) -> Sized | None:
        """The validation samples, if any are held out."""
        ...

    @property
    def test(self) -> Sized:
        """The test samples, read once at the end."""
        ...

    def model_changes(self) -> dict[str, Any]:
        """Fields of a model's spec that follow from the data, such as ``num_classes``."""
        ...

    def about(self) -> dict[str, Any]:
        """What the header of a weight file says of the data that the network takes."""
        ...

    def train_batches(self, recipe: Recipe, *, seed: int, **how: Any) -> Any:
        """Training batches: ``steps_per_epoch`` and ``epoch(epoch, start)``, batch i of epoch e always the same.

        ``how``: ``device``, ``memory_format``, and ``limit``, the most batches of an epoch; of images that are decoded
        also ``others``, the processes that share that.
        """
        ...

    def eval_batches(self, split: str, batch_size: int, **how: Any) -> Iterator[Any]:
        """The samples of ``train``, ``val`` or ``test`` in order, each once; ``how`` as of ``train_batches``.

        ``turn``: (k, n) gives batches k, k + n, ... of these, to one of n processes.
        """
        ...


Source = AnyData  # its name in version 0.1


@runtime_checkable
class NormalizedData(AnyData, Protocol):
    """Data of images, which a mean and a std of each channel normalise."""

    def normalized_with(self, mean: Sequence[float], std: Sequence[float], of: str = "given") -> Self:
        """The same with another mean and std. Raises UsageError unless they are a number a channel, std above 0."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """Images with classes: AnyData, with the splits and all that a network, a run folder and a report need to know."""

    kind: str
    spec: DataSpec
    classes: tuple[str, ...]
    shape: tuple[int, ...]  # (C, H, W) of what the network gets, (C, D, H, W) of clips and volumes
    train: Split
    val: Split | None
    test: Split
    mean: tuple[float, ...]  # per channel, of images scaled to [0, 1]
    std: tuple[float, ...]
    pad: int  # the data's own augmentation habits: pixels of padding to crop from,
    flip: bool  # and whether a mirrored image is still of its class
    identity: dict[str, Any]  # JSON values; what ``data.json`` holds

    def split(self, name: str) -> Split:
        """``train``, ``val`` or ``test``. Raises UsageError for another name, or if there is no such part."""
        if name not in ("train", "val", "test"):
            raise UsageError(f"a split is 'train', 'val' or 'test', not {name!r}")
        part: Split | None = getattr(self, name)
        if part is None:
            raise UsageError(
                f"{self.spec.source} has no {name} part (val_fraction is {self.spec.val_fraction})"
            )
        return part

    def model_changes(self) -> dict[str, Any]:
        """Classes and channels."""
        return {"num_classes": len(self.classes), "in_channels": self.shape[0]}

    def about(self) -> dict[str, Any]:
        """What a network needs to know to take the same images again."""
        return {
            "kind": self.kind,
            "classes": list(self.classes),
            "shape": list(self.shape),
            "mean": list(self.mean),
            "std": list(self.std),
        }

    def train_batches(self, recipe: Recipe, *, seed: int, **how: Any) -> TrainBatches:
        """Training batches: augmented, normalised, on the device."""
        batches = TrainBatches(
            data=self,
            batch_size=recipe.batch_size,
            seed=seed,
            augmentation=recipe.augmentation,
            resolution=recipe.resolution,
            **how,
        )
        total = recipe.iterations or recipe.epochs * batches.steps_per_epoch
        return dataclasses.replace(batches, total_steps=total)

    def eval_batches(self, split: str, batch_size: int, **how: Any) -> Iterator[EvalBatch]:
        """Every image of a part in order."""
        return eval_batches(self, split, batch_size, **how)

    def normalized_with(self, mean: Sequence[float], std: Sequence[float], of: str = "given") -> Data:
        """The same images with somebody else's mean and std (a checkpoint was trained with its own), in the spec too.

        ``of`` says of what they are.
        """
        channels = self.shape[0]
        if len(mean) != channels or len(std) != channels or min(std) <= 0:
            raise UsageError(f"mean and std need {channels} numbers each, std above 0, not {mean} and {std}")
        given = {"mean": list(mean), "std": list(std), "mean_std_of": of}
        return dataclasses.replace(
            self,
            spec=self.spec.change(mean=mean, std=std),
            mean=tuple(mean),
            std=tuple(std),
            identity={**self.identity, **given},
        )


def identified(
    spec: DataSpec,
    *,
    path: Path | None,  # None: shipped with the package
    storage: str,  # memory or stream
    classes: Sequence[str],
    shape: tuple[int, ...],
    parts: Mapping[str, Split],  # train, test and, if there is one, val
    mean: tuple[float, ...],
    std: tuple[float, ...],
    pad: int,
    flip: bool,
    **more: Any,  # of the identity: fingerprint, splits, split_sha256, mean_std_of, preprocessing, skipped
) -> Data:
    """``Data`` with the identity that ``data.json`` holds."""
    identity = {
        "source": str(spec.source),
        "path": None if path is None else str(path.resolve()),
        "kind": spec.source.kind,
        "storage": storage,
        "image_size": shape[-1],
        "channels": shape[0],
        "classes": list(classes),
        "counts": {name: len(split) for name, split in sorted(parts.items())},
        "mean": list(mean),
        "std": list(std),
        **more,
    }
    return Data(
        kind=spec.source.kind,
        spec=spec,
        classes=tuple(classes),
        shape=shape,
        train=parts["train"],
        val=parts.get("val") or None,  # an empty part is none
        test=parts["test"],
        mean=mean,
        std=std,
        pad=pad,
        flip=flip,
        identity=identity,
    )
