"""Artifacts of OpenVINO, and NNCF's int8."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from residua.data import load_data, normalize
from residua.deploy.artifact import read_artifact
from residua.deploy.export import export
from residua.deploy.runtime import open_runtime
from residua.errors import ResiduaError
from residua.loading import create_model, load_model
from residua.weights.model_files import save_model

pytest.importorskip("openvino", reason="needs the extra openvino")
pytest.importorskip("nncf", reason="needs the extra openvino")
DIGITS = load_data("digits")
PIXELS = DIGITS.test.read(np.arange(7))[0].numpy()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_model(path, create_model("cifar_resnet8", in_channels=1), DIGITS.about())
    return path


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_artifact_answers_as_its_network(weights, tmp_path, precision):
    export(weights, format="openvino", precision=precision, data="digits", out=tmp_path / "a")
    artifact = read_artifact(tmp_path / "a")
    assert sorted(artifact.digests) == ["model.bin", "model.xml"]
    runtime = open_runtime(artifact, threads=1)
    tolerance = {"fp32": 1e-4, "fp16": 1e-2}[precision]
    for shown in (PIXELS[:1], PIXELS[:2], PIXELS[:3], PIXELS[:5], PIXELS.repeat(2, axis=2)):
        with torch.no_grad():
            wanted = load_model(weights)(normalize(torch.from_numpy(shown), DIGITS.mean, DIGITS.std)).numpy()
        found = runtime(shown)
        assert np.abs(found["logits"] - wanted).max() < tolerance * np.abs(wanted).max()
        assert found["cam"].shape[0] == len(shown)


def test_int8_says_what_it_costs(weights, tmp_path):
    artifact = export(
        weights, format="openvino", precision="int8", data="digits", out=tmp_path / "a", max_drop=100
    )
    assert artifact.precision == "int8"
    assert artifact.quantization.quantized == artifact.quantization.layers == 8
    assert artifact.quantization.calibrated_on == "validation images"
    assert artifact.accuracy.images == len(DIGITS.test)
    assert 1e-4 < artifact.parity.relative_error < 0.3
    assert "FakeQuantize" in (tmp_path / "a" / "model.xml").read_text("utf-8")


def test_a_damaged_model_is_one_line(weights, tmp_path):
    from residua.deploy.formats.openvino import OpenVinoRuntime

    (tmp_path / "model.xml").write_text("<?xml version='1.0'?><net name='x' version='11'><layers>")
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(ResiduaError, match="OpenVINO does not take") as caught:
        OpenVinoRuntime(tmp_path / "model.xml", tmp_path / "model.bin", "f32", 1)
    assert "\n" not in str(caught.value)


def test_nothing_is_reported_to_the_maker():
    code = (
        "from residua.deploy.formats.openvino import _openvino; _openvino(); import nncf.telemetry.wrapper as own; "
        "import openvino.tools.ovc.telemetry_utils as theirs; print(theirs.tm.__name__, hasattr(own, 'Telemetry'))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["openvino.tools.ovc.telemetry_stub", "False"]
