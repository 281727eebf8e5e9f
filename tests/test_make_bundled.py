"""scripts/make_bundled.py, on a run of a few images in the layout of the 60,000."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from residua.loading import load_weights
from residua.train import fit

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("make_bundled", ROOT / "scripts" / "make_bundled.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "TRAINED_ON", 30)
    monkeypatch.setattr(module, "TESTED_ON", 20)
    return module


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("jpeg") / "images"
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    random = np.random.default_rng(0)
    for part, count in (("train", 3), ("test", 2)):
        for name in classes:
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 256, (32, 32, 3), np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{number}.jpg")
    return fit(
        "cifar_resnet20",
        folder,
        "quick",
        run_dir=folder.parent / "run",
        threads=1,
        progress=False,
        recipe_changes={"epochs": 1},
    )


def test_it_writes_a_file_that_says_what_it_is_and_the_evidence(script, run, tmp_path):
    said = script.make(run, tmp_path / "x.safetensors", tmp_path / "evidence")
    assert "20 test images" in said
    weights = load_weights(tmp_path / "x.safetensors")
    assert weights.spec == run.spec
    assert weights.data["mean"] == run.data["mean"]
    assert f"{run.result['test_accuracy']:.2%} of 20 JPEG copies" in weights.notes[0]
    files = {path.name: path.read_text() for path in (tmp_path / "evidence").iterdir()}
    assert sorted(files) == [
        "data.json",
        "env.json",
        "metrics.jsonl",
        "plan.json",
        "recipe.json",
        "result.json",
    ]
    assert json.loads(files["result.json"])["test_accuracy"] == run.result["test_accuracy"]
    assert not any(str(run.path.parent) in text or '"/' in text for text in files.values())


def test_what_is_another_run_is_refused_and_nothing_written(script, run, tmp_path, monkeypatch):
    target = tmp_path / "x.safetensors"
    monkeypatch.setattr(script, "TRAINED_ON", 50_000)
    with pytest.raises(SystemExit, match="not 50000 images to train on"):
        script.make(run, target, tmp_path / "evidence")
    monkeypatch.setattr(script, "TRAINED_ON", 30)
    monkeypatch.setattr(script, "LARGEST", 1000)
    with pytest.raises(SystemExit, match="bytes; it states"):
        script.make(run, target, tmp_path / "evidence")
    assert list(tmp_path.iterdir()) == []
