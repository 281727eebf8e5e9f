"""Mixup (Zhang et al. 2018, arXiv 1710.09412): images are blended, and their labels alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from residua.data.augment import as_shares
from residua.data.batches.keyed import generator
from residua.parts import register
from residua.spec import Augmentation, positive

if TYPE_CHECKING:
    from torch import Tensor

    from residua.data.augment import Augment


@register
@dataclass(frozen=True, kw_only=True)
class Mixup(Augmentation):
    """Each image is blended with another of its batch; the share is drawn from Beta(alpha, alpha), once a batch."""

    kind: ClassVar[str] = "mixup"
    normalized: ClassVar[bool] = True
    blends_classes: ClassVar[bool] = True
    alpha: float = 1.0  # of CIFAR in sec. 3.2; the paper's ImageNet takes 0.2

    def validate(self) -> None:  # noqa: D102
        positive(self, "alpha")

    def build(self, data: Any) -> Augment:  # noqa: D102
        classes = len(data.classes)
        return lambda images, targets, key: mixup(
            images, targets, classes=classes, alpha=self.alpha, seed=key.seed, step=key.step
        )


def mixup(
    images: Tensor, targets: Tensor, *, classes: int, alpha: float, seed: int, step: int
) -> tuple[Tensor, Tensor]:
    """Images (B, ...) blended with themselves in another order; targets float32 (B, classes), blended alike.

    Targets are classes, int64 (B,), or already the share of each class.
    """
    import torch

    random = generator(seed, "mixup", step)
    share = float(random.beta(alpha, alpha))
    partner = torch.from_numpy(random.permutation(len(images))).to(images.device)
    targets = as_shares(targets, classes)
    return images[partner].lerp(images, share), targets[partner].lerp(targets, share)
