"""The images that an artifact is measured on: those of the run, others that are named, or seeded noise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from residua.data import load_data
from residua.data.annotated import Scenes
from residua.data.batches.keyed import generator
from residua.errors import ResiduaError
from residua.evaluation.source import Trained, data_spec, fitted
from residua.spec import DataSpec

PARITY_IMAGES = 64
CALIBRATION_IMAGES = 300  # NNCF's own default
_TUNING_IMAGES = 1000  # that decide which layers become int8; accuracy itself is of every test image


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """N images as a network takes them, before normalisation, and what they are."""

    pixels: np.ndarray  # uint8 or float32 (N, C, H, W)
    labels: np.ndarray | None  # int64 (N,) of a classifier; None where nobody knows the classes
    of: str

    def __len__(self) -> int:
        return len(self.pixels)

    def first(self, count: int) -> Images:
        """So many of them, spread over the whole."""
        chosen = spread(len(self), count)
        labels = None if self.labels is None else self.labels[chosen]
        return Images(pixels=self.pixels[chosen], labels=labels, of=self.of)


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What is shown to a network and to its artifact. ``tuning`` decides, ``test`` only tells."""

    tuning: Images  # of validation; where there are none, of training
    test: Images
    notes: tuple[str, ...] = ()

    @property
    def labelled(self) -> bool:
        """Whether accuracy can be measured on them."""
        return self.test.labels is not None and self.tuning.labels is not None


def gather(trained: Trained, data: str | Path | DataSpec | None = None, *, every: bool = False) -> Evidence:
    """The images of a run, or of ``data``; noise for a weight file, and where the images of a run are gone.

    ``every`` reads them all, as accuracy needs; else as many as parity does. Raises UsageError for data that do not
    suit the network.
    """
    if data is None and trained.run is None:
        return noise(trained, f"{trained.name} does not say where its images are")
    try:
        loaded = load_data(data_spec(trained, data))
    except ResiduaError as error:
        if data is not None:
            raise
        return noise(trained, str(error))
    if trained.task.answers == "classes":
        loaded = fitted(trained, loaded)
    # images that stand for both are test images
    validates = loaded.val is not None and loaded.spec.validate_on == "val"
    tuning, which = (loaded.val, "validation") if validates else (loaded.train, "training")
    most = None if every else PARITY_IMAGES
    labelled = trained.task.answers == "classes"
    return Evidence(
        tuning=_read(
            tuning, f"{which} images", _TUNING_IMAGES if every else PARITY_IMAGES, labelled=labelled
        ),
        test=_read(loaded.test, "test images", most, labelled=labelled),
    )


def noise(trained: Trained, why: str) -> Evidence:
    """Pixels drawn from a seed."""
    shape = trained.images.shape or trained.spec.usual_input
    pixels = scaled(generator(0, "export").integers(0, 256, (PARITY_IMAGES, *shape), np.uint8))
    images = Images(pixels=pixels, labels=None, of="seeded noise")
    return Evidence(tuning=images, test=images, notes=(f"{why}: checked on seeded noise",))


def spread(there: int, wanted: int | None) -> np.ndarray:
    """So many positions of 0 to ``there``, evenly; all for None."""
    if wanted is None or wanted >= there:
        return np.arange(there)
    return np.linspace(0, there - 1, wanted).astype(np.int64)


def scaled(pixels: np.ndarray) -> np.ndarray:
    """Images stay uint8; volumes (N, C, D, H, W) are float32, uint8 scaled to [0, 1], as ``Predictor`` gives them."""
    if pixels.ndim == 4:
        return pixels
    return pixels.astype(np.float32) / (255 if pixels.dtype == np.uint8 else 1)


def _read(split: Any, of: str, most: int | None, *, labelled: bool) -> Images:
    positions = spread(len(split), most)
    if isinstance(split, Scenes):
        return Images(pixels=split.at(positions).images.numpy(), labels=None, of=of)
    pixels, labels = split.read(positions)
    if not len(pixels):
        raise ResiduaError(f"none of the {of} can be read")
    return Images(pixels=scaled(pixels.numpy()), labels=labels.numpy() if labelled else None, of=of)
