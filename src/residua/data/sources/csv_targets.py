"""``csv:FILE``: images with numbers to predict. The header is ``file,NAME`` or has several names; a row names an image,
relative to the file, and gives a number for each name.

Which rows are held out follows from the split seed. Targets are standardised by the mean and deviation of the training
part, which weight files keep. Images are neither mirrored nor shifted unless the recipe asks for it, for that may
change a number; those of a set too large for memory are cropped at random, as such images always are.
"""

from __future__ import annotations

import csv
import dataclasses
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from residua.data.sources.label_table import is_label_table
from residua.errors import ResiduaError
from residua.parts import register
from residua.spec import DataSource, DataSpec, Recipe

if TYPE_CHECKING:
    import torch

    from residua.data.batches.pipeline import TrainBatches
    from residua.data.listing import Listing
    from residua.data.loaded import Data
    from residua.data.sources.image_folder import ImageFiles

log = logging.getLogger(__name__)

_MOST = 1e30  # of a target, so that its square is still a number


@register
@dataclass(frozen=True, kw_only=True)
class CsvTargets(DataSource):
    """Images with numbers, listed in a CSV file."""

    kind: ClassVar[str] = "csv"
    resizes: ClassVar[bool] = True
    path: str

    @classmethod
    def recognises(cls, path: Path) -> bool:  # noqa: D102
        return path.suffix.lower() == ".csv" and path.is_file() and not is_label_table(path)

    def load(self, spec: DataSpec, *, threads: int, storage: str | None) -> Any:
        """``TargetData``. Raises ResiduaError that names the line of the file that is wrong."""
        from residua.data.encoded import encoded_data
        from residua.data.identity import array_bytes, digest

        path = Path(self.path).expanduser()
        names, files, table = read_targets(path)
        if len(names) > 1 and set(np.unique(table)) <= {0, 1}:
            log.warning(
                "%s holds 0 and 1 alone, as of several labels an image: they are learnt as numbers; for one class an "
                "image, labels:FILE takes a column with its name",
                path,
            )
        images = encoded_data(spec, *_listed(path, files), threads=threads, storage=storage)
        rows = {str(path.parent / file): row for row, file in enumerate(files)}
        for split in filter(None, (images.train, images.val, images.test)):
            split.labels = np.array([rows[file] for file in split.paths() or ()])
        mean, std = table[images.train.labels].mean(0), table[images.train.labels].std(0)
        for name, deviation in zip(names, std, strict=True):
            if not deviation > 0:
                raise ResiduaError(f"{path}: {name} is the same for all training images: nothing to learn")
        contents = images.identity["fingerprint"]
        identity = {
            **images.identity,
            "path": str(path.resolve()),
            "classes": [],
            "fingerprint": {
                "of": f"{contents['of']}, and targets",
                "sha256": digest([contents["sha256"].encode(), array_bytes(table)]),
            },
            "splits": {
                part: f"{getattr(spec, f'{part}_fraction'):g} of the rows, split seed {spec.split_seed}"
                for part in images.identity["splits"]
            },
        }
        return TargetData(
            images=dataclasses.replace(images, classes=(), pad=0, flip=False, identity=identity),
            table=table,
            targets=names,
            target_mean=tuple(mean.tolist()),
            target_std=tuple(std.tolist()),
        )

    def listed(self, spec: DataSpec) -> tuple[Listing, ImageFiles]:  # noqa: D102
        path = Path(self.path).expanduser()
        return _listed(path, read_targets(path)[1])


def _listed(path: Path, files: list[str]) -> tuple[Listing, ImageFiles]:
    """The files of a table, of one class."""
    from residua.data.listing import NO_CLASSES, Listing, PartFiles
    from residua.data.sources.image_folder import ImageFiles

    part = PartFiles("", tuple(files), NO_CLASSES * len(files))
    return Listing(path.parent, {"train": part}, NO_CLASSES), ImageFiles(path.parent)


@dataclass(frozen=True, kw_only=True, eq=False)
class TargetData:
    """Images with T numbers each: AnyData. Batches are of images (B, C, H, W) and standardised targets (B, T)."""

    images: Data  # a label is a row of the table
    table: np.ndarray  # float64 (rows, T)
    targets: tuple[str, ...]  # the names of the T numbers
    target_mean: tuple[float, ...]
    target_std: tuple[float, ...]

    kind = property(lambda self: self.images.kind)
    spec = property(lambda self: self.images.spec)
    shape = property(lambda self: self.images.shape)
    identity = property(lambda self: self.images.identity)
    train = property(lambda self: self.images.train)
    val = property(lambda self: self.images.val)
    test = property(lambda self: self.images.test)

    def model_changes(self) -> dict[str, Any]:
        """An output for each target."""
        return {"num_classes": len(self.targets), "in_channels": self.shape[0]}

    def about(self) -> dict[str, Any]:
        """What a network needs to know to take the same images again, and to say numbers in the same units."""
        return {
            **self.images.about(),
            "task": "regression",
            "targets": list(self.targets),
            "target_mean": list(self.target_mean),
            "target_std": list(self.target_std),
        }

    def train_batches(self, recipe: Recipe, **options: Any) -> TargetBatches:
        """Training batches, as of ``Data``."""
        return TargetBatches(self, self.images.train_batches(recipe, **options))

    def eval_batches(self, split: str, batch_size: int, **options: Any) -> Iterator[Any]:
        """Every image of a part in order, as of ``Data``."""
        for batch in self.images.eval_batches(split, batch_size, **options):
            yield batch._replace(labels=self.standardised[batch.labels.cpu()].to(batch.labels.device))

    @cached_property
    def standardised(self) -> torch.Tensor:
        """The targets as a network learns them: float32 (rows, T)."""
        import torch

        table = (self.table - self.target_mean) / self.target_std
        return torch.from_numpy(table.astype(np.float32))

    def normalized_with(self, mean: Sequence[float], std: Sequence[float], of: str = "given") -> TargetData:
        """The same images with another mean and std, as of ``Data``."""
        return dataclasses.replace(self, images=self.images.normalized_with(mean, std, of))

    def as_trained(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        target_mean: Sequence[float],
        target_std: Sequence[float],
    ) -> TargetData:
        """The same images and numbers, on the scales that a network was trained with."""
        return dataclasses.replace(
            self,
            images=self.images.normalized_with(mean, std),
            target_mean=tuple(target_mean),
            target_std=tuple(target_std),
        )


@dataclass(frozen=True)
class TargetBatches:
    """Training batches whose labels are replaced by the standardised targets of their rows."""

    data: TargetData
    batches: TrainBatches

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, at least 1."""
        return self.batches.steps_per_epoch

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches ``start``, ``start + 1``, ... of an epoch."""
        for images, rows in self.batches.epoch(epoch, start):
            yield images, self.data.standardised[rows.cpu()].to(images.device)


def read_targets(path: Path) -> tuple[tuple[str, ...], list[str], np.ndarray]:
    """The names of the targets, the files, and the numbers: float64 (files, targets).

    Raises ResiduaError that names the first line that is wrong.
    """
    files: dict[str, int] = {}
    numbers: list[list[float]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            names = tuple(header[1:])
            if header[:1] != ["file"] or not names or not all(names) or len({*header}) < len(header):
                raise ResiduaError(
                    f"{path} line 1: the header must be file,NAME or file,NAME,NAME..., not {','.join(header)!r}"
                )
            for row in reader:
                if row:  # an empty line is none
                    numbers.append(_numbers(row, header, path, reader.line_num, files))
    except (OSError, ValueError, csv.Error) as error:  # ValueError: not UTF-8
        raise ResiduaError(f"cannot read {path}: {error}") from error
    if not files:
        raise ResiduaError(f"{path} has a header and no rows")
    return names, list(files), np.array(numbers)


def _numbers(row: list[str], header: list[str], path: Path, line: int, files: dict[str, int]) -> list[float]:
    """The numbers of a row, whose file is added to ``files``."""
    where = f"{path} line {line}"
    if len(row) != len(header):
        raise ResiduaError(f"{where}: {len(row)} columns, where the header has {len(header)}")
    file = str(Path(row[0].strip()))  # ./a.png is a.png
    if file in files:
        raise ResiduaError(f"{where}: {file!r} stands in line {files[file]} already")
    if "\0" in file or not (path.parent / file).is_file():
        raise ResiduaError(f"{where}: there is no file {file!r} beside {path.name}")
    files[file] = line
    numbers = []
    for name, text in zip(header[1:], row[1:], strict=True):
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not abs(number) <= _MOST:
            raise ResiduaError(f"{where}: {name} must be a finite number, not {text!r}")
        numbers.append(number)
    return numbers
