"""An artifact is asked as a run is, and answers the same."""

import numpy as np
import pytest

from residua.cli.main import main
from residua.deploy import Predictor
from residua.errors import UsageError


@pytest.fixture
def pair(artifact):
    """The predictor of a weight file, and that of its artifact."""
    return Predictor(artifact.path.parent / "w.safetensors"), Predictor(artifact.path, threads=1)


def test_an_artifact_answers_as_the_weights_do(pair, artifact, capsys):
    eager, onnx = pair
    assert (onnx.classes, onnx.shape, onnx.answers) == (eager.classes, eager.shape, eager.answers)
    assert (onnx.format, onnx.precision, eager.format, eager.precision) == ("onnx", "fp32", "torch", "fp32")
    assert onnx.notes  # that it was compared on noise
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 16, 16), np.uint8)
    images = [*pixels.transpose(0, 2, 3, 1), np.zeros((40, 30), np.uint8)]
    for expected, found in zip(
        eager.stream(images, 7, cams=True), onnx.stream(images, 7, cams=True), strict=True
    ):
        assert dict(found.top) == pytest.approx(dict(expected.top), abs=1e-4)
        assert np.allclose(found.cam, expected.cam, atol=1e-3)
    with pytest.raises(UsageError, match="runs on the cpu"):
        Predictor(artifact, device="cuda")
    with pytest.raises(SystemExit) as caught:
        main(["describe", str(artifact.path), "--json"])
    assert caught.value.code == 0
    assert '"format": "onnx"' in capsys.readouterr().out
