import numpy as np
import pytest
import torch

from residua.data import load_data, same_identity
from residua.data.sources.clips import DIRECTIONS, moving
from residua.errors import UsageError
from residua.spec import DataSpec
from residua.train.recipes import recipe


@pytest.fixture(scope="module")
def clips():
    return load_data("moving-digits")


def test_every_frame_is_the_one_before_moved_in_the_direction_of_the_class(clips):
    volumes, labels = clips.test.read(np.arange(40))
    assert volumes.dtype == torch.uint8 and volumes.shape == (40, 1, 8, 16, 16)
    for clip, label in zip(volumes[:, 0], labels, strict=True):
        down, across = DIRECTIONS[clips.classes[label]]
        speeds = [
            speed
            for speed in (1, 2)
            if all(
                torch.equal(clip[t + 1], clip[t].roll((speed * down, speed * across), (0, 1)))
                for t in range(7)
            )
        ]
        assert len(speeds) == 1


def test_digits_move_across_the_edge():
    image = np.arange(1, 5, dtype=np.uint8).reshape(1, 2, 2)
    clip = moving(image, side=4, start=np.array([[3, 0]]), step=np.array([[0, -1]]))[0]
    assert clip[0].tolist() == [[3, 4, 0, 0], [0] * 4, [0] * 4, [1, 2, 0, 0]]
    assert clip[1].tolist() == [[4, 0, 0, 3], [0] * 4, [0] * 4, [2, 0, 0, 1]]


def test_classes_are_balanced_and_test_digits_are_shown_by_no_training_clip(clips):
    everything = np.concatenate([clips.train.labels, clips.val.labels, clips.test.labels])
    assert np.ptp(np.bincount(everything)) <= 1
    assert len(clips.train) + len(clips.val) == 2 * 1437 and len(clips.test) == 2 * 360
    train = {row.tobytes() for row in _pixels(clips.train)}
    twins = sum(row.tobytes() in train for row in _pixels(clips.test))
    assert twins == 0


def _pixels(split):
    frames = split.read(np.arange(len(split)))[0][:, 0, 0].flatten(1)
    return frames.sort(1)[0].numpy()


def test_the_same_clips_every_time_and_others_in_another_size(clips):
    assert same_identity(clips.identity, load_data("moving-digits").identity) is None
    large = load_data(DataSpec(source="moving-digits", image_size=32))
    assert large.shape == (1, 8, 32, 32)
    with pytest.raises(UsageError, match="16 to 64 px, not 8"):
        load_data(DataSpec(source="moving-digits", image_size=8))
    with pytest.raises(UsageError, match="takes no option 'fast'"):
        load_data("moving-digits:fast")


def test_batches_are_normalised_volumes_and_mirroring_is_off(clips):
    batches = clips.train_batches(recipe("clips"), seed=0)
    volumes, labels = next(batches.epoch(0))
    assert volumes.shape == (64, 1, 8, 16, 16) and volumes.dtype == torch.float32
    assert volumes.is_contiguous(memory_format=torch.channels_last_3d)
    assert (clips.pad, clips.flip) == (0, False)
    again, same = next(batches.epoch(0))
    assert torch.equal(volumes, again) and torch.equal(labels, same)
    mean = torch.cat([v for v, *_ in clips.eval_batches("train", 512)]).mean()
    assert abs(float(mean)) < 0.05
