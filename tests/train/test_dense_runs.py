"""A detector and a segmenter through the whole of ``fit``, and interrupted: the same to the last bit."""

import json
import os
import signal

import pytest

from residua.data.sources.scenes import COUNTS
from residua.errors import UsageError
from residua.train import fit, resume
from residua.train.interruption import Interrupted
from residua.train.progress import Progress

KINDS = {
    "detector_tiny": ("scenes:boxes", "average_precision"),
    "segmenter_tiny": ("scenes:masks", "mean_iou"),
}


class Stop(Progress):
    def step(self, step):
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    for name, count in {"train": 16, "val": 6, "test": 8}.items():
        monkeypatch.setitem(COUNTS, name, count)


def run(path, model, source, **options):
    changes = {"epochs": 2, "batch_size": 8}
    return fit(model, source, "scenes", run_dir=path, threads=1, recipe_changes=changes, **options)


@pytest.mark.parametrize("model", KINDS)
def test_a_run_and_the_same_run_interrupted(tmp_path, model):
    source, metric = KINDS[model]
    options = {"model_changes": {"drop_path": 0.3}, "precision": "float32"}
    whole = run(tmp_path / "whole", model, source, progress=False, **options)
    with pytest.raises(Interrupted):
        run(tmp_path / "cut", model, source, progress=Stop(), **options)
    cut = resume(tmp_path / "cut", progress=False)
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (cut.path / name).read_bytes() == (whole.path / name).read_bytes()
    result = json.loads((whole.path / "result.json").read_text())
    assert result["primary"] == metric
    assert 0 <= result[f"test_{metric}"] <= 1
    assert result["test_images"] == 8
    assert result[f"best_val_{metric}"] is not None


def test_networks_that_do_not_suit_the_data(tmp_path):
    with pytest.raises(UsageError, match="detector_tiny learns from boxes; scenes:masks has none"):
        run(tmp_path / "run", "detector_tiny", "scenes:masks", progress=False)
    assert not (tmp_path / "run").exists()
