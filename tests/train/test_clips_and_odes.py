"""Clips and ODEs go the whole way of images: training, a resumption bit for bit, evaluation, inspection."""

import base64
import io

import pytest
from PIL import Image

from residua.evaluation import evaluate, inspect_run
from residua.train import fit, loop, resume
from residua.train.progress import Progress

OPTIONS = {"threads": 1, "limit_batches": 4, "recipe_changes": {"epochs": 2, "batch_size": 32}}


class Stop(Exception):
    pass


class StopsAt(Progress):
    def step(self, step):
        if step == 6:
            raise Stop


@pytest.mark.parametrize("model", ["r3d_tiny", "ode_tiny"])
def test_the_way_of_a_family(model, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr(loop, "_CHECKPOINT_SHARE", 1e9)
    changes = {"drop_path": 0.2}
    whole = fit(model, run_dir=tmp_path / "whole", progress=False, model_changes=changes, **OPTIONS)
    with pytest.raises(Stop):
        fit(model, run_dir=tmp_path / "cut", progress=StopsAt(), model_changes=changes, **OPTIONS)
    cut = resume(tmp_path / "cut", progress=False)
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (cut.path / name).read_bytes() == (whole.path / name).read_bytes()
    evaluation = evaluate(whole.path, limit=1, batch_size=128)
    assert evaluation.n == 128
    found = inspect_run(whole.path, limit=1)
    assert [g["unit"] for g in found["gradient"]] and found["cost"]
    if model == "r3d_tiny":
        picture = Image.open(io.BytesIO(base64.b64decode(found["mistakes"][0]["png"])))
        assert picture.size == (8 * 16, 16)  # the frames side by side
