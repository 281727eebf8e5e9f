import numpy as np
import pytest
import torch

from residua.data.augment.cutmix import CutMix, cutmix
from residua.errors import UsageError


def batch(count: int, *sides: int) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.arange(count, dtype=torch.uint8).view(count, 1, *[1] * len(sides)).expand(count, 3, *sides)
    return images.contiguous(), torch.arange(count)


@pytest.mark.parametrize("sides", [(9, 12), (2, 9, 12)])
def test_targets_are_the_shares_of_the_area(sides):
    images, labels = batch(16, *sides)
    rectangles = 0
    for step in range(30):
        mixed, targets = cutmix(images, labels, classes=16, seed=0, step=step)
        for image, target in zip(mixed, targets, strict=True):
            area = np.bincount(image.flatten(), minlength=16) / image.numel()
            assert target.tolist() == pytest.approx(area.tolist(), abs=1e-6)
        other = (mixed != images).flatten(0, -3).any(0)  # (H, W); of all images and slices in the same place
        rows, columns = other.any(1).sum(), other.any(0).sum()
        assert other.sum() == rows * columns, "one rectangle"
        rectangles += int(rows * columns)
    assert rectangles > 0


def test_shares_are_those_of_beta_where_the_rectangle_is_inside():
    images, labels = batch(2, 200, 200)
    kept = [cutmix(images, labels, classes=2, seed=0, step=step)[1].max().item() for step in range(400)]
    assert min(kept) >= 0.5
    assert max(kept) > 0.98


def test_some_batches_are_left_and_their_targets_are_shares_all_the_same():
    images, labels = batch(8, 6, 6)
    made = [cutmix(images, labels, classes=8, share=0.5, seed=0, step=step) for step in range(300)]
    left = [mixed.equal(images) for mixed, _ in made]
    assert 0.45 < np.mean(left) < 0.72, "half of them, and those whose rectangle is empty"
    assert all(targets.shape == (8, 8) and targets.dtype == torch.float32 for _, targets in made)
    none, targets = cutmix(images, labels, classes=8, share=0.0, seed=0, step=0)
    assert none.equal(images) and targets.equal(torch.eye(8))


def test_mixed_labels_may_be_mixed_again():
    once = cutmix(*batch(8, 9, 9), classes=8, seed=0, step=2)
    again = cutmix(*once, classes=8, seed=0, step=5)
    assert torch.allclose(again[1].sum(1), torch.ones(8)) and (again[1] > 0).sum() > (once[1] > 0).sum()


@pytest.mark.parametrize("options", [{"alpha": 0}, {"share": 1.5}])
def test_options_are_refused_in_one_line(options):
    with pytest.raises(UsageError, match="augmentation 'cutmix'"):
        CutMix(**options)
