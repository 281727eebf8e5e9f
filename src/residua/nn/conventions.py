"""What code written for timm's and torchvision's classifiers asks of a network, answered from its declared parts.

Every network with the parts stem, stages, tail and head answers alike; no family repeats it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, overload

from torch import Tensor, nn

from residua.errors import UsageError
from residua.nn.head import PoolHead, TokenPool, fully_connected
from residua.nn.residual import Chain, residual_units

_CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)
_PREVIOUS_GROUP = (99999,)  # timm's MATCH_PREV_GROUP
# of the images of ImageNet, as torchvision and timm have them
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _scale(known: Any, usual: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """What a file, which anybody may have written, says of the channels; the usual where it says nothing of use."""
    numbers = isinstance(known, list | tuple) and all(isinstance(one, int | float) for one in known)
    if numbers and len(known) == channels:
        return tuple(known)
    return usual if channels == len(usual) else (0.5,) * channels


Ends = tuple[nn.Module, nn.Module]


class PositionStem(nn.Module):
    """A stem that makes positions, of a deviation ``scale``.

    Parameters of its own are what it adds to them, places and class token: weight decay is not for them.
    """

    scale: float


class Classifier(nn.Module):
    """A network of stem, stages, tail and head, whose last layer is ``head.fc``. Base of those that know how to run.

    ``spec`` is kept as ``model.spec``, so that a model can be saved, described and built again; it follows
    ``reset_classifier``. ``ends`` make several streams of what the stem gives, and one of them again behind the stages
    (``nn.streams``): they are ``model.enter`` and ``model.leave``, by default the identity.
    """

    def __init__(
        self,
        *,
        spec: Any,
        stem: nn.Module,
        stages: Chain,
        tail: nn.Module | None,
        head: PoolHead,
        ends: Ends | None = None,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.stem = stem
        # in the order in which they are applied: torchvision's IntermediateLayerGetter follows it
        enter, leave = ends or (nn.Identity(), nn.Identity())
        self.enter = enter
        self.stages = stages
        self.leave = leave
        self.tail = nn.Identity() if tail is None else tail
        self.head = head
        self.images: Mapping[str, Any] = {}  # what is known of those that it was trained on: mean, std

    @property
    def num_classes(self) -> int:
        """Logits that it gives; 0: it gives features."""
        return self.spec.num_classes

    @property
    def num_features(self) -> int:
        """What the last fully connected layer sees."""
        return self.head.num_features

    head_hidden_size = num_features  # timm's name of the same

    @property
    def global_pool(self) -> str:
        """How maps become a vector: ``"avg"``, by a class token (``"token"``), or not at all (``""``)."""
        if isinstance(self.head.pool, TokenPool):
            return self.head.pool.pool
        return "" if isinstance(self.head.pool, nn.Identity) else "avg"

    def forward_head(self, features: Tensor, *, pre_logits: bool = False) -> Tensor:
        """Logits ``(N, num_classes)`` of the tail's output, or with ``pre_logits`` the ``(N, num_features)`` before."""
        return self.head.pool(features) if pre_logits else self.head(features)

    @overload
    def get_classifier(self, name_only: Literal[False] = False) -> nn.Module: ...
    @overload
    def get_classifier(self, name_only: Literal[True]) -> str: ...
    def get_classifier(self, name_only: bool = False) -> nn.Module | str:
        """The last fully connected layer (the identity where there are no classes), or its name."""
        return "head.fc" if name_only else self.head.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Put a fresh fully connected layer in place; 0 leaves it out. Device, dtype and mode stay.

        ``global_pool`` is ``"avg"``, or for a Vision Transformer also ``"token"``; None keeps what there is. Raises
        UsageError for what is no number of classes and for another pooling.
        """
        changes: dict[str, Any] = {"num_classes": num_classes}
        if global_pool not in (None, self.global_pool):
            if not isinstance(self.head.pool, TokenPool) or global_pool not in ("token", "avg"):
                raise UsageError(f"{self.spec.name} pools by {self.global_pool!r}, not by {global_pool!r}")
            changes["pool"] = global_pool
        self.spec = self.spec.change(**changes)
        if "pool" in changes:
            self.head.pool = TokenPool(self.spec.pool)
        weight = next(self.parameters())
        fresh = fully_connected(self.num_features, num_classes).to(weight.device, weight.dtype)
        self.head.fc = fresh.train(self.training)

    @property
    def pretrained_cfg(self) -> dict[str, Any]:
        """What timm's code reads of a network: its input, and the names of its first and last layers.

        ``mean`` and ``std`` are those of the images that it was trained on, where its weights were loaded with them
        (``images``); of a fresh network ImageNet's, or 0.5 for other channels than three.
        """
        channels = self.spec.in_channels
        first = [name for name, module in self.stem.named_modules() if isinstance(module, _CONVOLUTIONS)]
        return {
            "url": "",
            "architecture": self.spec.name,
            "num_classes": self.num_classes,
            "input_size": tuple(self.spec.usual_input),
            "fixed_input_size": isinstance(self.stem, PositionStem),
            "pool_size": None,
            "crop_pct": 0.875,
            "interpolation": "bilinear",
            "mean": _scale(self.images.get("mean"), IMAGENET_MEAN, channels),
            "std": _scale(self.images.get("std"), IMAGENET_STD, channels),
            "first_conv": f"stem.{first[0]}" if first else None,
            "classifier": self.get_classifier(name_only=True),
        }

    default_cfg = pretrained_cfg  # timm's older name of the same

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute each unit (a stage without units as a whole) in the backward pass: memory for time.

        Batch statistics are updated once all the same, and stochastic depth draws once.
        """
        for stage in self.stages:
            parts: Iterable[Any] = residual_units(stage).values() or [stage]
            for part in parts:
                part.recompute = enable

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Patterns that sort parameters by depth: stem, units (stages if ``coarse``), and what is left: the head.

        The tail belongs to the last group before the head. timm's ``layer_decay`` and ``group_parameters`` read it.
        """
        # a stage's children are numbered, as "3" or "conv3"; others (a transition) stand before the numbered ones
        units = r"^stages\.(\d+)" if coarse else r"^stages\.(\d+)\.[a-z]*(\d+)"
        return {
            "stem": r"^stem",
            "blocks": [(units, None), (r"^stages\.(\d+)", None), (r"^tail", _PREVIOUS_GROUP)],
        }

    def no_weight_decay(self) -> set[str]:
        """Names of the parameters that no optimiser should decay beside norms and biases: positions, class token."""
        if not isinstance(self.stem, PositionStem):
            return set()
        return {f"stem.{name}" for name, _ in self.stem.named_parameters(recurse=False)}
