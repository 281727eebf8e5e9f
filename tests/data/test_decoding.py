from pathlib import Path

import numpy as np
import pytest

from residua.data.decoding import Decoding, EncodedSplit
from residua.data.image import BadImage
from residua.data.sources.image_folder import ImageFiles


def split_of(root: Path, strict: bool = False) -> EncodedSplit:
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    decoding = Decoding(root=root, store=ImageFiles(root), size=16, channels=3, threads=2, strict=strict)
    return EncodedSplit(decoding, paths, np.arange(len(paths)))


def test_a_file_that_turns_bad_is_left_out_of_its_batch_and_warned_of_once(
    make_folder, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_folder({"a": 6})
    split = split_of(root)
    assert split.read(np.array([3, 1, 0]))[1].tolist() == [3, 1, 0] and not split.left_out
    (root / "a/001.png").write_bytes(b"gone bad")
    for _ in range(2):
        images, labels = split.read(np.array([3, 1, 0]))
        assert labels.tolist() == [3, 0] and len(images) == 2
        images, labels = split.read_augmented(np.array([1, 5]), (0, 0))
        assert labels.tolist() == [5] and len(images) == 1
    assert split.left_out == {1: "not an image, or damaged at its beginning"}
    assert [record.getMessage() for record in caplog.records] == [
        "skipped a/001.png: not an image, or damaged at its beginning"
    ]
    assert split.read(np.array([1]))[0].shape == (0, 3, 16, 16)


def test_strict_raises_with_the_name(make_folder) -> None:
    root = make_folder({"a": 3})
    split = split_of(root, strict=True)
    (root / "a/002.png").unlink()
    with pytest.raises(BadImage, match=r"a/002\.png: No such file"):
        split.read(np.arange(3))
    with pytest.raises(BadImage, match=r"a/002\.png: No such file"):
        split.read_augmented(np.arange(3), (0, 0))


def test_a_crop_depends_on_seed_epoch_and_image_but_not_on_its_batch(make_folder) -> None:
    split = split_of(make_folder({"a": 4}, size=(60, 60)))
    together = split.read_augmented(np.array([2, 3, 0]), (1, 5))[0]
    assert split.read_augmented(np.array([0]), (1, 5))[0][0].equal(together[2])
    assert not split.read_augmented(np.array([0]), (1, 6))[0][0].equal(together[2])
    assert not split.read_augmented(np.array([0]), (2, 5))[0][0].equal(together[2])
