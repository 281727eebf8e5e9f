"""CutMix (Yun et al. 2019, arXiv 1905.04899): a rectangle of each image is another's, and as much of its label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from residua.data.augment import as_shares, of_images
from residua.data.batches.keyed import generator
from residua.parts import register
from residua.spec import Augmentation, positive, probability

if TYPE_CHECKING:
    from torch import Tensor

    from residua.data.augment import Augment


@register
@dataclass(frozen=True, kw_only=True)
class CutMix(Augmentation):
    """One rectangle a batch, anywhere; the share of the area that it leaves is drawn from Beta(alpha, alpha)."""

    kind: ClassVar[str] = "cutmix"
    blends_classes: ClassVar[bool] = True
    alpha: float = 1.0
    share: float = 1.0  # of the batches; the paper's CIFAR takes 0.5, its ImageNet all

    def validate(self) -> None:  # noqa: D102
        positive(self, "alpha")
        probability(self, "share")

    def build(self, data: Any) -> Augment:  # noqa: D102
        of_images(self, data)
        options = {"classes": len(data.classes), "alpha": self.alpha, "share": self.share}
        return lambda images, targets, key: cutmix(images, targets, seed=key.seed, step=key.step, **options)


def cutmix(
    images: Tensor,
    targets: Tensor,
    *,
    classes: int,
    alpha: float = 1.0,
    share: float = 1.0,
    seed: int,
    step: int,
) -> tuple[Tensor, Tensor]:
    """Images (B, C, ..., H, W) of any type with a part of themselves in another order; targets float32 (B, classes).

    Targets are classes, int64 (B,), or already the share of each class. What of the rectangle lies outside is lost, and
    its share is that of what is left of it.
    """
    import torch

    random = generator(seed, "cutmix", step)
    targets = as_shares(targets, classes)
    if random.random() >= share:
        return images, targets
    height, width = images.shape[-2:]
    side = (1 - random.beta(alpha, alpha)) ** 0.5 / 2  # half of that of the rectangle, of the image's
    (top, bottom), (left, right) = (
        (max(0, centre - int(side * length)), min(length, centre + int(side * length)))
        for length, centre in ((length, int(random.integers(length))) for length in (height, width))
    )
    partner = torch.from_numpy(random.permutation(len(images))).to(images.device)
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = images[..., top:bottom, left:right].index_select(0, partner)
    kept = 1 - (bottom - top) * (right - left) / (height * width)
    return mixed, targets[partner].lerp(targets, kept)
