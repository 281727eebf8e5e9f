"""A classifier as a backbone: the maps that its stages give (C2 to C5 of He et al. 2015, Table 1), its own weights."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from residua.errors import UsageError
from residua.nn import Chain, ImageClassifier

FIRST = 2  # the level of the first stage, conv2_x; conv1 is the stem


class Features(nn.Module):
    """The maps of some stages, from the bottom up; what stands above the last of them is left out.

    ``levels`` names them (level k is stage k - 1, the paper's conv{k}_x), ``channels`` and ``strides`` describe them.
    The modules are the classifier's own, under their own names: training one trains the other. The last stage's
    maps are those of ``forward_features``, with the norm and activation that pre-activation nets end in.

    Shapes: ``(N, in_channels, H, W)`` to one ``(N, channels[i], ceil(H / strides[i]), ceil(W / strides[i]))`` each.
    """

    def __init__(self, model: ImageClassifier, levels: tuple[int, ...]) -> None:
        super().__init__()
        info = [model.feature_info[level - FIRST] for level in levels]
        self.levels = levels
        self.channels: tuple[int, ...] = tuple(entry["num_chs"] for entry in info)
        self.strides: tuple[int, ...] = tuple(entry["reduction"] for entry in info)
        self.name, self.in_channels = model.spec.name, model.spec.in_channels
        self.stem = model.stem
        self.stages = Chain(*list(model.stages)[: levels[-1] - FIRST + 1])
        self.tail = model.tail if len(self.stages) == len(model.stages) else nn.Identity()

    def forward(self, x: Tensor) -> list[Tensor]:
        """The maps of images. Raises UsageError for images of a wrong shape."""
        if x.ndim != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < self.strides[-1]:
            raise UsageError(
                f"{self.name} takes images (N, {self.in_channels}, H, W) of at least {self.strides[-1]} px here, "
                f"got {tuple(x.shape)}"
            )
        x = self.stem(x)
        maps = []
        for level, stage in enumerate(self.stages, FIRST):
            x = stage(x)
            if level in self.levels:
                maps.append(x)
        return [*maps[:-1], self.tail(maps[-1])]


def features(model: nn.Module, levels: Sequence[int] | None = None) -> Features:
    """The maps of a staged classifier at some levels; by default at all of them (2 to 5 in a ResNet).

    Raises UsageError for a network without stages, and for levels that it does not have or that do not rise.
    """
    if not isinstance(model, ImageClassifier) or model.dims != 2:
        what = model.spec.name if isinstance(model, ImageClassifier) else type(model).__name__
        raise UsageError(f"only classifiers of images with stages give feature maps, not {what}")
    known = range(FIRST, FIRST + len(model.stages))
    chosen = tuple(known if levels is None else levels)
    if not chosen or list(chosen) != sorted(set(chosen) & set(known)) or {*map(type, chosen)} != {int}:
        raise UsageError(
            f"the levels of {model.spec.name} are {known[0]} to {known[-1]}, in rising order, not {list(chosen)}"
        )
    return Features(model, chosen)
