"""A trained network that is given any image or volume, prepared as in training: its class, or numbers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from residua.data import normalize, preprocess, read_image
from residua.data.image import SUFFIXES, BadImage, decoded_size
from residua.data.volume_files import check_volume, open_volume, volume_of
from residua.errors import ResiduaError, UsageError
from residua.evaluation.metrics import log_softmax
from residua.evaluation.outputs import logits
from residua.evaluation.source import NetworkLike, open_source
from residua.nn import place
from residua.train.plan import choose_device

Picture = str | os.PathLike[str] | bytes | Image.Image | np.ndarray
# label and probability, the likeliest first; of a regression every target and its value, in the data's units
Prediction = list[tuple[str, float]]
_BATCH = 64


class Predictor:
    """Says what is on images or in volumes, with the network of a run, a weight file or a foreign checkpoint.

    Args:
        source: what ``load_weights`` takes, of a classifier or a regression. Its file must tell the size, mean and std
            of its images.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.

    An image is a path, the bytes of a file, a Pillow image, or a uint8 array ``(H, W)``, ``(H, W, 1)`` or
    ``(H, W, 3)``; of any size. It is cropped and resized by the rule of ``residua.data.image``, as in
    evaluation. A volume or clip is the path of a ``.npy`` file or an array of real numbers, ``(D, H, W)`` or
    ``(C, D, H, W)``, of the very shape that the network was trained on; uint8 is scaled to [0, 1] as there.

    Raises UsageError for a source or device that there is not, ResiduaError for a source that cannot be
    read or does not tell what its images look like.

    """

    def __init__(self, source: NetworkLike, *, device: str = "auto") -> None:
        trained = open_source(source)
        images, self.answers = trained.images, trained.task.answers
        if self.answers == "nothing":
            raise UsageError(f"{trained.name} is trained for {trained.task.kind} and gives images no class")
        if images.shape is None or images.mean is None or images.std is None:
            raise ResiduaError(f"{trained.name} does not tell the size, mean and std of its images")
        self.volumes = len(images.shape) == 4
        if not self.volumes and (images.shape[0] not in (1, 3) or images.shape[1] != images.shape[2]):
            raise ResiduaError(f"{trained.name} takes {images.shape}, neither grey nor colour squares")
        self.name = trained.name
        self.classes = trained.classes
        self.notes = trained.notes  # what was assumed of the file
        self.device = choose_device(device)
        self.format, self.precision = "torch", trained.precision
        self.shape, self._mean, self._std = images.shape, images.mean, images.std
        self._images = images
        self._model = place(trained.model.eval(), self.device, torch.channels_last)

    @property
    def suffixes(self) -> frozenset[str]:
        """How the names of the files end that a folder of images or volumes is searched for."""
        return frozenset({".npy"} if self.volumes else SUFFIXES)

    def __call__(self, image: Picture, k: int = 5) -> Prediction:
        """The ``k`` likeliest classes of one image. Raises BadImage, a ResiduaError, if it cannot be read."""
        return self.predict([image], k)[0]

    def predict(self, images: Sequence[Picture], k: int = 5) -> list[Prediction]:
        """The ``k`` likeliest classes (or all, if there are fewer) of each image, with probabilities in [0, 1].

        Raises BadImage, a ResiduaError that names the first image that cannot be read, and UsageError for a
        ``k`` below 1.
        """
        if k < 1:
            raise UsageError(f"k must be at least 1, not {k}")
        found: list[Prediction] = []
        for start in range(0, len(images), _BATCH):
            prepared = [self.prepare(image) for image in images[start : start + _BATCH]]
            found += self.named(self.outputs(np.stack(prepared))["logits"], k)
        return found

    def prepare(self, image: Picture) -> np.ndarray:
        """What the network sees of an image, uint8 (C, H, W), or of a volume, uint8 or float32 (C, D, H, W).

        Raises BadImage if it cannot be read, and for a volume of another shape.
        """
        if self.volumes:
            return self._volume(image)
        channels, size, _ = self.shape
        source = _from_array(image) if isinstance(image, np.ndarray) else image
        return preprocess(read_image(source, at_least=decoded_size(size)), size, channels)

    def _volume(self, volume: Picture) -> np.ndarray:
        if isinstance(volume, np.ndarray):
            name, array = "volume", check_volume(volume, "volume")
        elif isinstance(volume, str | os.PathLike):
            name, array = str(volume), open_volume(Path(volume))
        else:
            raise BadImage("volume", f"a volume is a path or an array, not {type(volume).__name__}")
        return volume_of(array, self.shape, name, bytes=array.dtype == np.uint8)

    def outputs(self, prepared: np.ndarray) -> dict[str, np.ndarray]:
        """``"logits"`` float32 (N, K) of images or volumes of ``prepare``, stacked."""
        shown = normalize(torch.tensor(prepared, device=self.device), self._mean, self._std)
        return {"logits": logits(self._model, shown, self.precision)}

    def named(self, logits: np.ndarray, k: int = 5) -> list[Prediction]:
        """Outputs (N, K) as what they say: the ``k`` likeliest classes, or every target in its units."""
        if self.answers == "numbers":
            return self._numbers(logits)
        return [self._likeliest(row, k) for row in np.exp(log_softmax(logits))]

    def _numbers(self, outputs: np.ndarray) -> list[Prediction]:
        """Standardised outputs (N, T) in the units of the targets."""
        names = self._images.targets or self.classes
        mean, std = self._images.target_mean or 0.0, self._images.target_std or 1.0
        values = outputs.astype(np.float64) * std + mean
        return [list(zip(names, row, strict=True)) for row in values.tolist()]

    def _likeliest(self, probabilities: np.ndarray, k: int) -> Prediction:
        order = np.argsort(-probabilities, kind="stable")[:k]
        return [(self.classes[index], float(probabilities[index])) for index in order]


def _from_array(array: np.ndarray) -> Image.Image:
    grey = array.ndim == 2 or array.shape[2:] == (1,)
    if array.dtype != np.uint8 or 0 in array.shape or not (grey or (array.ndim == 3 and array.shape[2] == 3)):
        wanted = "uint8 (H, W), (H, W, 1) or (H, W, 3)"
        raise BadImage("image", f"an array must be {wanted}, not {array.dtype} {array.shape}")
    return Image.fromarray(array.reshape(array.shape[:2]) if grey else array)
