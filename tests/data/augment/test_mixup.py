from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residua.data import load_data
from residua.data.augment.mixup import Mixup, mixup
from residua.errors import UsageError
from residua.spec import Recipe
from residua.train.plan import Request, make_plan


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.arange(8.0).view(8, 1, 1, 1).expand(8, 3, 4, 4).contiguous(), torch.arange(8)


def test_images_and_labels_are_blended_alike() -> None:
    images, labels = batch()
    mixed, targets = mixup(images, labels, classes=8, alpha=1.0, seed=0, step=0)
    assert targets.shape == (8, 8) and targets.dtype == torch.float32
    assert targets.sum(1).tolist() == pytest.approx([1] * 8)
    share = max(targets[targets < 1].tolist())
    for i in range(8):
        assert any(
            torch.allclose(mixed[i], a * images[i] + (1 - a) * images[j])
            and torch.allclose(targets[i], a * F.one_hot(labels[i], 8) + (1 - a) * F.one_hot(labels[j], 8))
            for a in (share, 1 - share)
            for j in range(8)
        )


def test_shares_are_those_of_beta() -> None:
    images, labels = torch.zeros(2, 1, 1, 1), torch.tensor([0, 1])
    targets = [mixup(images, labels, classes=2, alpha=0.2, seed=0, step=i)[1] for i in range(2000)]
    shares = torch.stack([t[0, 0] for t in targets if 0 < t[0, 0] < 1])
    assert 850 < len(shares) < 1150, "half of the time the partner is the image itself"
    assert shares.mean().item() == pytest.approx(0.5, abs=0.03)
    assert shares.var(correction=0).item() == pytest.approx(1 / (4 * 1.4), abs=0.02)


def test_mixed_labels_may_be_mixed_again_and_nothing_else_decides() -> None:
    once = mixup(*batch(), classes=8, alpha=1.0, seed=0, step=0)
    again = mixup(*once, classes=8, alpha=1.0, seed=0, step=1)
    assert again[1].sum(1).tolist() == pytest.approx([1] * 8) and (again[1] > 0).sum() > (once[1] > 0).sum()
    torch.manual_seed(9)
    assert all(map(torch.equal, once, mixup(*batch(), classes=8, alpha=1.0, seed=0, step=0)))
    assert not once[0].equal(mixup(*batch(), classes=8, alpha=1.0, seed=1, step=0)[0])


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_the_loss_is_the_blend_of_both_losses_and_accuracy_too(label_smoothing: float) -> None:
    images, labels = batch()
    share, partner = 0.3, torch.tensor([3, 2, 1, 0, 7, 6, 5, 4])
    one_hot = F.one_hot(labels, 8).float()
    targets = share * one_hot + (1 - share) * one_hot[partner]
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 8))
    recipe = Recipe().change(task={"kind": "classification", "label_smoothing": label_smoothing})
    plan = make_plan(Request(device="cpu", precision="float32", threads=1, compile="off"), model, 0, 0)
    task = recipe.task.make(model, recipe, plan, SimpleNamespace(about=lambda: {"classes": "abcdefgh"}))
    logits = model(images).detach()
    sums = task.step((images, targets), 0.0)
    both = [
        F.cross_entropy(logits, own, label_smoothing=label_smoothing) for own in (labels, labels[partner])
    ]
    expected = share * both[0] + (1 - share) * both[1]
    assert sums["loss"].item() / 8 == pytest.approx(expected.item(), rel=1e-5)
    hits = [(logits.argmax(1) == own).sum().item() for own in (labels, labels[partner])]
    assert sums["accuracy"].item() == pytest.approx(share * hits[0] + (1 - share) * hits[1], abs=1e-5)


def test_batches_of_a_recipe_carry_shares_of_classes() -> None:
    batches = load_data("digits").train_batches(
        Recipe(batch_size=16).change(augmentation="mixup(0.4)"), seed=0
    )
    first = list(batches.epoch(1))
    images, targets = first[0]
    assert targets.shape == (16, 10) and images.is_contiguous(memory_format=torch.channels_last)
    assert all(map(torch.equal, first[5], next(batches.epoch(1, start=5))))


@pytest.mark.parametrize("source", ["text", "scenes:boxes"])
def test_data_without_classes_refuse_it_in_one_line(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("train", "val", "test"):
        monkeypatch.setitem(__import__("residua.data.sources.scenes", fromlist=["COUNTS"]).COUNTS, part, 2)
    data = load_data(source)
    data.train_batches(Recipe(batch_size=2), seed=0)
    for augmentation, name in (("mixup", "mixup"), ("crop_flip(4)", "crop_flip")):
        recipe = Recipe(batch_size=2).change(augmentation=augmentation)
        with pytest.raises(UsageError, match=f"augmentation '{name}' is for images with classes, not for"):
            data.train_batches(recipe, seed=0)


def test_alpha_is_above_zero() -> None:
    with pytest.raises(UsageError, match="alpha must be above 0"):
        Mixup(alpha=0)
