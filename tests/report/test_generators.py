"""The report of a run that is not judged by its accuracy, as a GAN's is."""

import base64
import json

import pytest

from residua.errors import ResiduaError
from residua.report import render_report
from residua.runs.record import read_run


@pytest.fixture
def gan_run(make_run, restate, make_png):
    epochs = [
        {
            "event": "epoch",
            "epoch": i,
            "step": 4 * i,
            "lr": 0.1,
            "train_loss": 2.0,
            "val_frechet_distance": 9.0 - i,
        }
        for i in range(4)
    ]
    result = {
        "primary": "frechet_distance",
        "test_frechet_distance": 1.53124,
        "parameters": 5,
        "seconds": 2.0,
    }
    run = restate(make_run("gan", model="sngan_tiny", epochs=0), "result", **result)
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in epochs))
    (run / "samples.png").write_bytes(base64.b64decode(make_png(0, 256)))
    return run


def test_its_figure_its_curve_and_its_samples_are_shown(gan_run):
    run = read_run(gan_run)
    assert run.metric == "frechet_distance"
    assert run.epochs["val_frechet_distance"] == [9.0, 8.0, 7.0, 6.0]
    page = render_report([gan_run]).read_text(encoding="utf-8")
    assert "1.531" in page
    assert "frechet distance by epoch" in page
    assert "Error by epoch" not in page
    assert "cross-entropy" not in page
    assert 'width="256" height="256"' in page or 'height="256" width="256"' in page


def test_samples_of_a_run_that_is_being_extended_are_left_out(gan_run):
    (gan_run / "result.json").unlink()
    page = render_report([gan_run]).read_text(encoding="utf-8")
    assert "<img" not in page
    assert "samples.png was made from earlier weights" in page


def test_a_damaged_picture_is_named(gan_run):
    (gan_run / "samples.png").write_bytes(b"no picture")
    with pytest.raises(ResiduaError, match=r"samples\.png: png is not a whole PNG"):
        render_report([gan_run])
