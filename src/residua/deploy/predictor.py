"""A trained network that is given any image or volume, prepared as in training: its class, or numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from residua.data.image import SUFFIXES, BadImage
from residua.deploy.inputs import NamedPicture, Pictures, asked
from residua.deploy.lookahead import computed_ahead, groups
from residua.deploy.opened import Source, open_any
from residua.deploy.pictures import Picture, image_pixels, name_of, volume_values
from residua.deploy.runtime import Outputs
from residua.errors import UsageError
from residua.evaluation.metrics import log_softmax
from residua.machine import usable_cores

# label and probability, the likeliest first; of a regression every target and its value, in the data's units
Prediction = list[tuple[str, float]]

_BATCH = 64  # images at most that the network sees at once,
_VALUES = 1 << 22  # and numbers: 27 colour images of 224 px, whose largest maps are then some hundred MB
_NOT_FINITE = "the network gives it answers that are not finite"


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What a network says of one image; ``error`` says why it says nothing."""

    name: str  # the path, of a frame also its time; "image" of what is in memory and has no other
    picture: Picture | None = None  # what was asked about
    top: Prediction | None = None
    cam: np.ndarray | None = (
        None  # float32 (h, w): where the network saw the top class, if asked for and known
    )
    error: str | None = None


class Predictor:
    """Says what is on images or in volumes, with the network of a run, a weight file, a checkpoint or an artifact.

    Args:
        source: an artifact (its folder, or what ``read_artifact`` gives), or what ``load_weights`` takes, of a
            classifier or a regression. Its file must tell the size, mean and std of its images.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``; artifacts run on the CPU.
        threads: of an artifact's runtime; by default as many as it takes by itself.

    An image is a path, the bytes of a file, a Pillow image, or a uint8 array ``(H, W)``, ``(H, W, 1)`` or
    ``(H, W, 3)``; of any size. It is cropped and resized by the rule of ``residua.data.image``, as in
    evaluation. A volume or clip is the path of a ``.npy`` file or an array of real numbers, ``(D, H, W)`` or
    ``(C, D, H, W)``, of the very shape that the network was trained on; uint8 is scaled to [0, 1] as there. Where
    several images are taken, a folder stands for its images, and a video file for a frame of every second.

    Several threads may ask at once; what one is answered does not depend on the others.

    Raises UsageError for a source or device that there is not, ResiduaError for a source that cannot be
    read or does not tell what its images look like.

    """

    def __init__(self, source: Source, *, device: str = "auto", threads: int | None = None) -> None:
        opened = open_any(source, device, threads)
        self.name = opened.name
        self.answers = opened.answers
        self.classes = opened.labels
        self.notes = opened.notes  # what was assumed of the file
        self.volumes = opened.volumes
        self.device, self.format, self.precision = opened.device, opened.format, opened.precision
        self.shape, self.dtype = opened.shape, opened.dtype
        self.batch_size = (
            max(1, min(_BATCH, _VALUES // math.prod(opened.shape))) if opened.dynamic_batch else 1
        )
        self._runtime = opened.runtime
        self._mean, self._std = np.asarray(opened.target_mean), np.asarray(opened.target_std)

    @property
    def suffixes(self) -> frozenset[str]:
        """How the names of the files end that a folder of images or volumes is searched for."""
        return frozenset({".npy"} if self.volumes else SUFFIXES)

    def __call__(self, image: Picture, k: int = 5) -> Prediction:
        """The ``k`` likeliest classes of one image. Raises BadImage, a ResiduaError, if it cannot be read."""
        _check(k)
        (answer,) = self._say([self._prepared(NamedPicture(name_of(image), image))], k, cams=False)
        return _top(answer)

    def predict(self, images: Pictures, k: int = 5) -> list[Prediction]:
        """The ``k`` likeliest classes (or all, if there are fewer) of each image, with probabilities in [0, 1].

        Raises BadImage, a ResiduaError that names the first image that cannot be read, and UsageError for a ``k``
        below 1.
        """
        return [_top(answer) for answer in self.stream(images, k)]

    def stream(
        self,
        images: Pictures,
        k: int = 5,
        *,
        cams: bool = False,
        every: float = 1.0,
        left_out: dict[str, str] | None = None,
    ) -> Iterator[Answer]:
        """What it says of image after image, in order; one that cannot be read is an answer with an error.

        Files are decoded and resized by threads while the network works, at most two batches ahead, so that memory
        is bounded whatever the iterable. An array (N, C, H, W) of just what ``prepare`` gives is shown to the network
        as it is, without a copy.

        Args:
            images: one image, folder or video, or any iterable of them; a NamedPicture gives one a name of its own.
            k: how many classes.
            cams: also where the network saw the top class, (h, w), if it has such a map.
            every: seconds from one frame of a video to the next; 0: all frames.
            left_out: gets the files of a folder that are no images, with the reason.

        Raises UsageError for a ``k`` below 1 and a folder without images.

        """
        _check(k)
        if not (every >= 0 and math.isfinite(every)):
            raise UsageError(f"every must be seconds, 0 or more, not {every}")
        return self._stream(images, k, cams, every, {} if left_out is None else left_out)

    def prepare(self, image: Picture) -> np.ndarray:
        """What the network takes of an image, uint8 (C, H, W), or of a volume, (C, D, H, W) of ``dtype``.

        Raises BadImage if it cannot be read, and for a volume of another shape.
        """
        return (
            volume_values(image, self.shape, self.dtype) if self.volumes else image_pixels(image, self.shape)
        )

    def outputs(self, prepared: np.ndarray) -> Outputs:
        """What the network answers to what ``prepare`` gives, stacked: arrays by name (``residua.deploy.runtime``).

        ``"logits"`` are float32 (N, K); ``"cam"``, where the network has it, float32 (N, h, w). Raises UsageError for
        an array of another shape or type.
        """
        if not self._takes(prepared):
            wanted = f"{self.dtype} (N, {', '.join(map(str, self.shape))})"
            raise UsageError(f"{self.name} takes arrays {wanted}, not {prepared.dtype} {prepared.shape}")
        return self._runtime(prepared)

    def named(self, logits: np.ndarray, k: int = 5) -> list[Prediction]:
        """What logits (N, K) say: the ``k`` likeliest classes, or every target in its units.

        Raises ResiduaError for logits that are not finite.
        """
        if self.answers == "numbers":
            rows = (logits.astype(np.float64) * self._std + self._mean).tolist()
            return [list(zip(self.classes, row, strict=True)) for row in rows]
        order = np.argsort(-logits, axis=1, kind="stable")[:, :k]
        chosen = np.take_along_axis(np.exp(log_softmax(logits)), order, 1)
        return [
            [(self.classes[c], p) for c, p in zip(classes, row, strict=True)]
            for classes, row in zip(order.tolist(), chosen.tolist(), strict=True)
        ]

    def _stream(
        self, images: Pictures, k: int, cams: bool, every: float, left_out: dict[str, str]
    ) -> Iterator[Answer]:
        if isinstance(images, np.ndarray):
            if self._takes(images):
                for start in range(0, len(images), self.batch_size):
                    yield from self._answers(images[start : start + self.batch_size], k, cams)
                return
            if images.ndim < 4 or images.shape == self.shape:
                images = [images]
        listed = asked(images, self.suffixes, every=every, left_out=left_out)
        prepared = computed_ahead(self._prepared, listed, threads=usable_cores(), ahead=2 * self.batch_size)
        for group in groups(prepared, self.batch_size):
            yield from self._say(group, k, cams=cams)

    def _prepared(self, one: NamedPicture) -> tuple[NamedPicture, np.ndarray | BadImage]:
        if isinstance(one.picture, BadImage):
            return one, one.picture
        try:
            return one, self.prepare(one.picture)
        except BadImage as error:
            return one, error

    def _say(
        self, group: list[tuple[NamedPicture, np.ndarray | BadImage]], k: int, *, cams: bool
    ) -> Iterator[Answer]:
        """The answers about some images, those that can be read shown together."""
        good = [pixels for _, pixels in group if isinstance(pixels, np.ndarray)]
        answers = iter(self._answers(np.stack(good), k, cams) if good else [])
        for one, pixels in group:
            picture = None if isinstance(one.picture, BadImage) else one.picture
            if isinstance(pixels, BadImage):
                yield Answer(name=one.name, picture=picture, error=pixels.reason)
            else:
                said = next(answers)
                yield Answer(name=one.name, picture=picture, top=said.top, cam=said.cam, error=said.error)

    def _takes(self, pixels: np.ndarray) -> bool:
        return pixels.shape[1:] == self.shape and pixels.dtype == self.dtype

    def _answers(self, pixels: np.ndarray, k: int, cams: bool) -> list[Answer]:
        """Of at most a batch."""
        outputs = self._runtime(pixels)
        logits, maps = outputs["logits"], outputs.get("cam") if cams else None
        finite = np.logical_and.reduce(np.isfinite(logits), axis=1)
        tops = iter(self.named(logits[finite], k))
        return [
            Answer(name="image", top=next(tops), cam=None if maps is None else maps[i])
            if good
            else Answer(name="image", error=_NOT_FINITE)
            for i, good in enumerate(finite)
        ]


def _check(k: int) -> None:
    if k < 1:
        raise UsageError(f"k must be at least 1, not {k}")


def _top(answer: Answer) -> Prediction:
    """What is said of the image. Raises BadImage if nothing is."""
    if answer.top is None:
        raise BadImage(answer.name, answer.error or _NOT_FINITE)
    return answer.top
