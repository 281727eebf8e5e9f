"""Every file of a folder is accounted for in the run that was trained on it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from residua.train import fit


@pytest.fixture
def odd_folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    random = np.random.default_rng(0)
    for name in ("train/a", "train/b", "test/a", "test/b"):
        (root / name).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(
                root / name / f"{i}.png"
            )
    for name in ("train/a/1.png", "test/b/1.png"):
        (root / name).write_bytes((root / name).read_bytes()[:300])
    (root / "train/a/2.png").write_bytes(b"")
    (root / "train/b/notes.txt").write_text("x")
    (root / "test/b/.DS_Store").write_text("x")
    (root / "train/none").mkdir()
    return root


@pytest.mark.parametrize("storage", ["memory", "stream"])
def test_what_is_not_trained_or_tested_on_is_listed(odd_folder, storage, tmp_path, monkeypatch):
    monkeypatch.setattr("residua.data.encoded._storage", lambda size: storage)
    run = fit(
        "cifar_resnet8",
        odd_folder,
        run_dir=tmp_path / "run",
        threads=1,
        progress=False,
        recipe_changes={"epochs": 1},
    )
    skipped = {file["path"]: file["reason"] for file in run.data["skipped"]}
    assert skipped == {
        "test/b/.DS_Store": "hidden",
        "test/b/1.png": "truncated",
        "train/a/1.png": "truncated",
        "train/a/2.png": "the file is empty",
        "train/b/notes.txt": "no image, by its name",
        "train/none/": "a class folder without any image",
    }
    assert run.data["classes"] == ["a", "b"]
    assert run.result["test_images"] == 11
