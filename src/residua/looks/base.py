"""What every look is: a question with options of its own, put to a network and the images that it is shown.

``residua analyze`` and the cells of experiments ask the same looks; a look of one's own is a class in a file that
``--with`` names. What needs torch is imported when the question is asked: a list of looks must not wait for it.
"""

from __future__ import annotations

import copy
import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from residua import parts
from residua.analysis.finding import Finding
from residua.spec import PartSpec

if TYPE_CHECKING:
    from torch import Tensor

ALL = 2**62  # images: as many as the split has
Progress = Callable[[int, int], None]  # parts done, parts in all


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A network, and N images as it takes them."""

    model: Any  # an nn.Module; None for looks that need no network
    images: Tensor  # (N, C, H, W), normalised as in training
    labels: Tensor  # int64 (N,); -1 where nobody knows the class
    pixels: Tensor | None = None  # the same images, uint8
    classes: tuple[str, ...] = ()
    seed: int = 0  # of what is drawn
    progress: Progress | None = None
    # the weights of a run by epoch, one after another
    states: Callable[[], Sequence[tuple[int, Mapping[str, Tensor]]]] | None = None

    @property
    def shown(self) -> tuple[Any, Tensor, Tensor]:
        """The network, the images and their labels: what most functions of ``residua.analysis`` take first."""
        return self.model, self.images, self.labels

    def first(self, count: int) -> Subject:
        """The first images alone."""
        pixels = None if self.pixels is None else self.pixels[:count]
        return dataclasses.replace(
            self, images=self.images[:count], labels=self.labels[:count], pixels=pixels
        )

    def in_float64(self) -> Subject:
        """A copy of the network, and the images, in float64."""
        return dataclasses.replace(
            self, model=copy.deepcopy(self.model).double(), images=self.images.double()
        )


@dataclass(frozen=True, kw_only=True)
class Look(PartSpec):
    """A question; its fields are its options. ``find`` answers it, ``at`` is how it is asked."""

    slot: ClassVar[str] = "look"
    about: ClassVar[str] = ""  # in a line
    images: ClassVar[int] = 64  # shown unless somebody says how many
    split: ClassVar[str] = "test"  # that they are of, in an experiment
    trained: ClassVar[bool] = False  # of a freshly initialised network the answer means little
    float64: ClassVar[bool] = False  # network and images in float64
    image_file: ClassVar[bool] = False  # a single image file will do, whose class nobody knows
    offered: ClassVar[bool] = True  # to ``residua analyze``; False: for experiments alone
    panel: ClassVar[int | None] = None  # whose curves an experiment gets unless it says which

    @abstractmethod
    def find(self, subject: Subject) -> Finding:
        """The answer. The network predicts (evaluation mode) and is to be left as it was."""

    def at(self, subject: Subject) -> Finding:
        """Ask. Raises UsageError for a network or images of which the question makes no sense."""
        if subject.model is None:
            return self.find(subject)
        from residua.analysis.untouched import predicting

        subject = subject.in_float64() if self.float64 else subject
        with predicting(subject.model):
            return self.find(subject)


def look_class(kind: str) -> type[Look]:
    """The look called ``kind``. Raises UsageError with the nearest names."""
    return parts.find("look", kind)


def look(
    kind: str,
    model: Any,
    images: Tensor,
    labels: Tensor,
    *,
    seed: int = 0,
    classes: Sequence[str] = (),
    progress: Progress | None = None,
    **options: Any,
) -> Finding:
    """Ask one question about any module: ``images`` ``(N, C, H, W)`` as in training, ``labels`` int64 ``(N,)``.

    ``classes`` are their names, for tables. Raises UsageError for an unknown kind or option, and as the look does.
    """
    subject = Subject(
        model=model, images=images, labels=labels, seed=seed, classes=tuple(classes), progress=progress
    )
    return look_class(kind).from_dict(options).at(subject)


def listing() -> str:
    """Every look that ``residua analyze`` offers, as a list in Markdown."""
    offered = {kind: part for kind, part in sorted(parts.parts("look").items()) if part.offered}
    return "\n".join(f"- {kind}: {part.about}" for kind, part in offered.items())
