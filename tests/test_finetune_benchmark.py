"""benchmarks/finetune.py on a tiny network and a tiny grid."""

import json
import sys

import numpy as np
import pytest
import torch
from benchmarks import finetune
from PIL import Image

from residua.registry import build, model_spec
from residua.weights.model_files import save_model

SIX = ["airplane", "automobile", "bird", "cat", "deer", "dog"]


def write_weights(path, classes=SIX, seed=0):
    torch.manual_seed(seed)
    model = build(model_spec("cifar_resnet8", num_classes=len(classes)))
    about = {"classes": classes, "shape": [3, 32, 32], "mean": [0.5] * 3, "std": [0.25] * 3}
    save_model(path, model, about)
    return path


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The command, on images of noise whose colour is the class."""
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        for index, name in enumerate(finetune.CLASSES):
            folder = tmp_path / "images" / part / name
            folder.mkdir(parents=True)
            for number in range(6):
                pixels = random.integers(0, 100, (32, 32, 3), np.uint8) + np.uint8(40 * index)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    for name, value in (("RESULTS", tmp_path), ("FOLDER", tmp_path / "cells"), ("STEPS", {3: 2})):
        monkeypatch.setattr(finetune, name, value)
    for name, value in (("FOLDS", 2), ("TEST", 2), ("BATCH", 4)):
        monkeypatch.setattr(finetune, name, value)

    def command(weights):
        monkeypatch.setattr(sys, "argv", ["finetune", str(tmp_path / "images"), str(weights)])
        finetune.main()
        return (tmp_path / "finetune.md").read_text()

    return command


def test_a_grid_goes_on_from_what_is_stored_and_makes_its_table(run, tmp_path, monkeypatch):
    weights = write_weights(tmp_path / "six.safetensors")
    text = run(weights)
    results = sorted((tmp_path / "cells").rglob("result.json"))
    assert [path.parent.relative_to(tmp_path / "cells").as_posix() for path in results] == [
        *("finetuned/3/0", "finetuned/3/1", "random/3/0", "random/3/1")
    ]
    cells = [json.loads(path.read_text()) for path in results]
    assert len({cell["images"]["sha256"] for cell in cells}) == 2  # a fold's arms see the same images
    assert [cell["test_images"] for cell in cells] == [8] * 4
    assert [cell["recipe"] for cell in cells] == ["finetune", "finetune", "quick", "quick"]
    gained = [
        100 * (a["test_accuracy"] - b["test_accuracy"]) for a, b in zip(cells[:2], cells[2:], strict=True)
    ]
    assert f"| **{sum(gained) / 2:+.1f}** (" in text
    assert str(tmp_path) not in "".join(path.read_text() for path in results) + text

    monkeypatch.setattr(finetune, "fit", None)  # nothing is trained again
    assert run(weights) == text
    results[1].unlink()
    with pytest.raises(TypeError):
        run(weights)
    with pytest.raises(SystemExit, match="is of other weights"):
        run(write_weights(tmp_path / "others.safetensors", seed=1))


def test_what_cannot_be_compared_is_refused_before_anything_is_trained(run, tmp_path, monkeypatch):
    monkeypatch.setattr(finetune, "fit", None)
    with pytest.raises(SystemExit, match="knows frog: nothing may leak"):
        run(write_weights(tmp_path / "seven.safetensors", [*SIX, "frog"]))
    monkeypatch.setattr(finetune, "FOLDS", 3)
    with pytest.raises(SystemExit, match="has not 9 images"):
        run(write_weights(tmp_path / "six.safetensors"))
