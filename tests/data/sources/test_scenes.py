import numpy as np
import pytest
import torch

from residua.data import load_data, same_identity
from residua.data.annotated import Annotated, Scenes
from residua.data.sources.scenes import COUNTS, DIGITS, SIZES
from residua.errors import UsageError
from residua.spec import DataSpec, Recipe


@pytest.fixture(scope="module")
def boxes():
    return load_data("scenes:boxes")


@pytest.fixture
def few(monkeypatch):
    """Few scenes: a scene is a function of its number, so they are the first of the many."""
    for name in COUNTS:
        monkeypatch.setitem(COUNTS, name, 20)
    return load_data("scenes:boxes")


def test_both_kinds_show_the_same_scenes_every_time(few):
    masks = load_data("scenes:masks")
    assert isinstance(few, Annotated)
    for mine, theirs in zip(few.train.parts, masks.train.parts, strict=True):
        assert torch.equal(mine, theirs)
    assert few.model_changes() == {"num_classes": 10, "in_channels": 1}
    assert masks.model_changes() == {"num_classes": 11, "in_channels": 1}
    assert masks.classes[:2] == ("background", "0")
    assert same_identity(few.identity, load_data("scenes:boxes").identity) is None
    other = load_data(DataSpec(source="scenes:boxes", split_seed=1))
    assert "fingerprint" in same_identity(few.identity, other.identity)


def test_a_scene_is_a_function_of_its_number(boxes, few):
    for part in COUNTS:
        for mine, theirs in zip(getattr(few, part).parts, getattr(boxes, part).parts, strict=True):
            assert torch.equal(mine, theirs[:20])


def test_what_is_in_them(boxes):
    assert boxes.identity["counts"] == {"train": 2000, "val": 250, "test": 500}
    scenes: Scenes = boxes.test
    assert scenes.images.shape == (500, 1, 64, 64)
    assert scenes.images.dtype == torch.uint8
    counts = (scenes.labels >= 0).sum(1)
    assert (counts.min(), counts.max()) == DIGITS
    there = scenes.labels >= 0
    widths = (scenes.boxes[..., 2:] - scenes.boxes[..., :2])[there]
    assert widths.min() >= 1 and widths.max() <= SIZES[1]
    assert scenes.boxes[~there].abs().sum() == 0
    assert scenes.labels[there].bincount().min() > 100  # every digit


def test_boxes_are_the_tight_frames_of_the_masks(boxes):
    scenes = boxes.val
    for image in range(50):
        left = scenes.masks[image].clone()
        for (x0, y0, x1, y1), label in zip(
            scenes.boxes[image].long().tolist(), scenes.labels[image], strict=True
        ):
            if label < 0:
                continue
            inside = scenes.masks[image, y0:y1, x0:x1] == label + 1
            for border in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
                assert border.any()
            left[y0:y1, x0:x1][inside] = 0
        assert not left.any()  # nothing outside of the boxes


def test_digits_stand_out_from_the_noise(boxes):
    images, ink = boxes.test.images[:, 0].double(), boxes.test.masks > 0
    for image, inside in zip(images[:50], ink[:50], strict=True):
        assert image[inside].mean() > image[~inside].mean() + 60


def test_the_parts_draw_from_disjoint_digits(boxes, monkeypatch):
    drawn = {}

    def spy(digits, part, *rest):
        split = digits.split(part)
        drawn[part] = {p.tobytes() for p in split.read(np.arange(len(split)))[0].numpy()}
        return Scenes(*(tensor[:2] for tensor in boxes.train.parts))

    monkeypatch.setattr("residua.data.sources.scenes._compose", spy)
    load_data("scenes:boxes")
    assert [len(drawn[name]) > 100 for name in COUNTS] == [True] * 3
    assert not drawn["train"] & drawn["test"] and not drawn["train"] & drawn["val"]


def test_batches_are_a_function_of_seed_epoch_and_place(boxes):
    batches = boxes.train_batches(Recipe(batch_size=300), seed=3)
    assert batches.steps_per_epoch == 6
    whole, late = list(batches.epoch(2)), list(batches.epoch(2, start=4))
    for mine, theirs in zip(whole[4:], late, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine.parts, theirs.parts, strict=True))
    first = next(iter(batches.epoch(3)))
    assert not torch.equal(first.images, whole[0].images)
    assert abs(float(first.images.mean())) < 0.1
    assert len(list(boxes.train_batches(Recipe(batch_size=300), seed=3, limit=2).epoch(0))) == 2
    parts = list(boxes.eval_batches("test", 200))
    assert [len(p) for p in parts] == [200, 200, 100]
    assert torch.equal(torch.cat([p.boxes for p in parts]), boxes.test.boxes)


def test_without_validation_and_larger(few):
    data = load_data(DataSpec(source="scenes:masks", val_fraction=0.0, image_size=96))
    assert data.val is None
    assert data.shape == (1, 96, 96)


@pytest.mark.parametrize(
    ("source", "size", "message"),
    [
        ("scenes", None, "source 'scenes' lacks target"),
        ("scenes:words", None, "must be one of 'boxes', 'masks', not 'words'"),
        ("scenes:boxes", 31, "at least 32 px wide, not 31"),
    ],
)
def test_other_scenes(source, size, message):
    with pytest.raises(UsageError, match=message):
        load_data(DataSpec(source=source, image_size=size))
