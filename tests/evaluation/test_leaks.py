"""Test images that lie among the training images are found, at another size and quality; others are not."""

from pathlib import Path

import numpy as np
from PIL import Image

from residua.data import load_data
from residua.evaluation.leaks import SHOWN, leaks
from residua.spec import DataSpec


def test_the_same_pictures_in_both_parts_are_found(image_folder):
    root = image_folder(size=48, count=8)
    random = np.random.default_rng(0)
    for path in sorted(root.rglob("*.png")):  # shapes as of photos: single pixels would not outlive a JPEG
        coarse = Image.fromarray(random.integers(0, 256, (5, 5, 3), np.uint8))
        coarse.resize((48, 48), Image.Resampling.BICUBIC).save(path)
    for number, label in ((0, "cat"), (1, "dog")):
        with Image.open(root / "train" / "cat" / f"{number}.png") as image:
            image.resize((64, 64)).convert("RGB").save(
                root / "test" / label / f"copy{number}.jpg", quality=60
            )
    data = load_data(DataSpec(source=str(root), image_size=32))
    found = leaks(data)
    assert (found["found"], found["of"]) == (2, 18)
    same = {Path(one["test"]["path"]).name: one for one in found["images"]}
    assert set(same) == {"copy0.jpg", "copy1.jpg"}
    assert [Path(same[f"copy{i}.jpg"]["train"]["path"]).name for i in (0, 1)] == ["0.png", "1.png"]
    assert same["copy0.jpg"]["same_label"] and not same["copy1.jpg"]["same_label"]
    assert len(found["images"]) <= SHOWN and all(one["test"]["png"] for one in found["images"])


def test_where_none_lies_twice_none_is_found(folder_data):
    found = leaks(folder_data(size=32))
    assert found["found"] == 0 and found["images"] == []


def test_small_images_are_not_asked(digits):
    assert leaks(digits) is None
