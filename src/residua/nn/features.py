"""A classifier as a backbone: the maps that its stages give (C2 to C5 of He et al. 2015, Table 1), its own weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from residua.errors import UsageError
from residua.nn import Chain, ImageClassifier
from residua.nn.levels import Info, chosen_levels, run_levels
from residua.nn.recording import recorded

FIRST = 2  # the level of the first stage, conv2_x; conv1 is the stem


class FeatureInfo:
    """What a backbone says of its maps, in the form that timm's backbones do: of those it gives, or of some levels."""

    def __init__(self, info: Info, out_indices: Sequence[int]) -> None:
        self.info = info
        self.out_indices = tuple(out_indices)

    def get_dicts(
        self, keys: Sequence[str] | None = None, idx: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """Of each map: its channels (``num_chs``), its ``reduction`` and the ``module`` that gives it."""
        chosen = [self.info[place] for place in (self.out_indices if idx is None else idx)]
        return [dict(level) if keys is None else {key: level[key] for key in keys} for level in chosen]

    def channels(self, idx: int | Sequence[int] | None = None) -> Any:
        """Channels of each map."""
        return self._get("num_chs", idx)

    def reduction(self, idx: int | Sequence[int] | None = None) -> Any:
        """How much smaller than the images each map is."""
        return self._get("reduction", idx)

    def module_name(self, idx: int | Sequence[int] | None = None) -> Any:
        """The module that gives each map."""
        return self._get("module", idx)

    def _get(self, key: str, idx: int | Sequence[int] | None) -> Any:
        if isinstance(idx, int):
            return self.info[idx][key]
        return [level[key] for level in self.get_dicts([key], idx)]


class Features(nn.Module):
    """The maps of some levels, from the bottom up; what stands above the last of them is left out.

    ``levels`` names them (level k is stage k - 1, the paper's conv{k}_x), ``channels`` and ``strides`` describe them,
    and so does ``feature_info``, as in timm. The modules are the classifier's own, under their own names: training
    one trains the other. The last stage's maps are those of ``forward_features``, with the norm and activation that
    pre-activation nets end in; the maps of every layer of a Vision Transformer pass its last norm.

    Shapes: ``(N, in_channels, H, W)`` to one ``(N, channels[i], ceil(H / strides[i]), ceil(W / strides[i]))`` each;
    volumes alike.
    """

    def __init__(self, model: ImageClassifier, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.levels = levels
        below = model.feature_info[: levels[-1] - FIRST + 1]
        self.feature_info = FeatureInfo(below, [level - FIRST for level in levels])
        self.channels: tuple[int, ...] = tuple(self.feature_info.channels())
        self.strides: tuple[int, ...] = tuple(self.feature_info.reduction())
        self.name, self.in_channels, self.dims = model.spec.name, model.spec.in_channels, model.dims
        self.stem, self.enter = model.stem, model.enter
        self.stages = _up_to(model.stages, below[-1]["module"].split(".")[1:])
        self.leave = model.leave
        fits = len(below) == len(model.feature_info) or "grid" in below[-1]
        self.tail = model.tail if fits else nn.Identity()

    def forward(self, x: Tensor) -> list[Tensor]:
        """The maps of images. Raises UsageError for images of a wrong shape."""
        self._check(x)
        info = self.feature_info
        return run_levels(self, info.info, x, taken=info.out_indices, norm=True)[1]

    def _check(self, x: Tensor) -> None:
        if recorded(x):
            return
        wrong = x.ndim != self.dims + 2 or x.shape[1] != self.in_channels
        if wrong or min(x.shape[-2:]) < self.strides[-1]:
            images = {2: "images (N, {}, H, W)", 3: "volumes (N, {}, D, H, W)"}[self.dims]
            raise UsageError(
                f"{self.name} takes {images.format(self.in_channels)} of at least {self.strides[-1]} px here, "
                f"got {tuple(x.shape)}"
            )


def features(model: nn.Module, levels: Sequence[int] | None = None) -> Features:
    """The maps of a classifier of images, volumes or clips at some levels; by default at all (2 to 5 in a ResNet).

    Raises UsageError for a network that is none, and for levels that it does not have or that do not rise.
    """
    staged = _staged(model)
    known = range(FIRST, FIRST + len(staged.feature_info))
    chosen = tuple(known if levels is None else levels)
    if not chosen or list(chosen) != sorted(set(chosen) & set(known)) or {*map(type, chosen)} != {int}:
        raise UsageError(
            f"the levels of {staged.spec.name} are {known[0]} to {known[-1]}, in rising order, not {list(chosen)}"
        )
    return Features(staged, chosen)


def features_only(model: nn.Module, out_indices: int | Sequence[int] | None = None) -> Features:
    """``features`` as timm counts: levels from 0, or from the end by negative numbers, or a number of last ones."""
    places = chosen_levels(_staged(model).feature_info, out_indices)
    return features(model, [place + FIRST for place in places])


def _staged(model: nn.Module) -> ImageClassifier:
    if not isinstance(model, ImageClassifier):
        raise UsageError(
            f"only classifiers of images with stages give feature maps, not {type(model).__name__}"
        )
    return model


def _up_to(chain: Any, place: Sequence[str]) -> Chain:
    """The children of a Chain up to a place, the same modules; a place of several numbers is one inside a child."""
    children = list(chain)[: int(place[0]) + 1]
    return Chain(*children[:-1], _up_to(children[-1], place[1:]) if place[1:] else children[-1])
