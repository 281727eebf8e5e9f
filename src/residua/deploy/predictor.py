"""A trained network that is given any image: prepared as in training, named with its classes."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from residua.data import normalize, preprocess, read_image
from residua.data.image import BadImage, decoded_size
from residua.errors import ResiduaError, UsageError
from residua.evaluation.metrics import log_softmax
from residua.evaluation.outputs import logits
from residua.evaluation.source import Source, open_classifier
from residua.train.plan import choose_device

Picture = str | os.PathLike[str] | bytes | Image.Image | np.ndarray
Prediction = list[tuple[str, float]]  # label and probability, the likeliest first
_BATCH = 64


class Predictor:
    """Says what is on images, with the network of a run, a weight file or a foreign checkpoint.

    Args:
        source: what ``load_weights`` takes. Its file must tell the size, mean and std of its images.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.

    An image is a path, the bytes of a file, a Pillow image, or a uint8 array ``(H, W)``, ``(H, W, 1)`` or
    ``(H, W, 3)``; of any size. It is cropped and resized by the rule of ``residua.data.image``, as in
    evaluation.

    Raises UsageError for a source or device that there is not, ResiduaError for a source that cannot be
    read or does not tell what its images look like.

    """

    def __init__(self, source: Source, *, device: str = "auto") -> None:
        trained = open_classifier(source)
        images = trained.images
        if images.shape is None or images.mean is None or images.std is None:
            raise ResiduaError(f"{trained.name} does not tell the size, mean and std of its images")
        if images.shape[0] not in (1, 3) or images.shape[1] != images.shape[2]:
            raise ResiduaError(f"{trained.name} takes {images.shape}, neither grey nor colour squares")
        self.name = trained.name
        self.classes = trained.classes
        self.device = choose_device(device)
        self._precision = trained.precision
        self._shape, self._mean, self._std = images.shape, images.mean, images.std
        self._model = trained.model.eval().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

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
            pixels = np.stack([self.prepare(image) for image in images[start : start + _BATCH]])
            shown = normalize(torch.from_numpy(pixels).to(self.device), self._mean, self._std)
            log_probabilities = log_softmax(logits(self._model, shown, self._precision))
            found += [self._named(row, k) for row in np.exp(log_probabilities)]
        return found

    def prepare(self, image: Picture) -> np.ndarray:
        """The pixels uint8 (C, H, W) that the network sees of an image. Raises BadImage if it cannot be read."""
        channels, size, _ = self._shape
        source = _from_array(image) if isinstance(image, np.ndarray) else image
        return preprocess(read_image(source, at_least=decoded_size(size)), size, channels)

    def _named(self, probabilities: np.ndarray, k: int) -> Prediction:
        order = np.argsort(-probabilities, kind="stable")[:k]
        return [(self.classes[index], float(probabilities[index])) for index in order]


def _from_array(array: np.ndarray) -> Image.Image:
    grey = array.ndim == 2 or array.shape[2:] == (1,)
    if array.dtype != np.uint8 or 0 in array.shape or not (grey or (array.ndim == 3 and array.shape[2] == 3)):
        wanted = "uint8 (H, W), (H, W, 1) or (H, W, 3)"
        raise BadImage("image", f"an array must be {wanted}, not {array.dtype} {array.shape}")
    return Image.fromarray(array.reshape(array.shape[:2]) if grey else array)
