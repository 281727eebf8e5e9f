import numpy as np
import pytest
import torch

from residua.data import load_data, normalize
from residua.deploy import parity
from residua.deploy.artifact import read_artifact
from residua.deploy.export import export
from residua.deploy.runtime import open_runtime
from residua.errors import ResiduaError, UsageError
from residua.loading import create_model, load_model
from residua.weights.model_files import save_model

DIGITS = load_data("digits")
PIXELS = DIGITS.test.read(np.arange(7))[0].numpy()


@pytest.fixture(scope="module")
def exported(digits_weights, tmp_path_factory):
    """Artifacts of the digits by format and precision, each made once."""
    made = {}

    def make(format, precision="fp32"):
        if (format, precision) not in made:
            pytest.importorskip({"onnx": "onnxruntime"}.get(format, "torch"), reason="needs the extra export")
            out = tmp_path_factory.mktemp("artifacts") / f"{format}-{precision}"
            made[format, precision] = export(
                digits_weights, format=format, precision=precision, data="digits", out=out, max_drop=5
            )
        return made[format, precision]

    return make


def expected(weights, pixels):
    with torch.no_grad():
        return load_model(weights)(normalize(torch.from_numpy(pixels), DIGITS.mean, DIGITS.std)).numpy()


@pytest.mark.parametrize("format", ["onnx", "pt2"])
def test_an_artifact_answers_as_its_network(exported, digits_weights, format):
    artifact = read_artifact(exported(format).path)
    assert artifact == exported(format)
    runtime = open_runtime(artifact, threads=1)
    for count in (1, 2, 3, 5, 7):
        found = runtime(PIXELS[:count])
        assert np.abs(found["logits"] - expected(digits_weights, PIXELS[:count])).max() < 1e-3
        assert found["cam"].shape == (count, 2, 2)
        assert found["logits"].dtype == found["cam"].dtype == np.float32
    assert artifact.dynamic_size
    taller = PIXELS[:2].repeat(2, axis=2)
    assert np.abs(runtime(taller)["logits"] - expected(digits_weights, taller)).max() < 1e-3


def test_what_is_stated(exported):
    artifact = exported("pt2")
    assert artifact.labels == DIGITS.classes
    assert artifact.shape == DIGITS.shape
    assert (artifact.task, artifact.answers) == ("classification", "classes")
    assert artifact.preprocessing.mean == DIGITS.mean
    assert (artifact.parity.images, artifact.parity.of) == (64, "test images")
    assert artifact.parity.agreement == 1
    assert artifact.parity.batch_sizes[:4] == (1, 2, 3, 5)
    assert artifact.parity.relative_error < artifact.parity.tolerance
    assert artifact.provenance["weights"].startswith("xxh3_128:")
    assert artifact.provenance["versions"]["torch"]


@pytest.mark.slow
def test_weights_of_float16(exported):
    artifact = exported("onnx", "fp16")
    sizes = [(one.path / "model.onnx").stat().st_size for one in (exported("onnx"), artifact)]
    assert sizes[1] < 0.7 * sizes[0]
    assert artifact.computes == "weights stored as float16, computed in float32"
    assert 0 < artifact.parity.relative_error < 1e-2
    assert artifact.accuracy.images == len(DIGITS.test)


def test_int8_keeps_its_accuracy(exported):
    artifact = exported("onnx", "int8")
    assert artifact.precision == "int8"
    assert artifact.quantization.fallback is None
    assert artifact.quantization.calibrated_on == "validation images"
    assert artifact.quantization.quantized == artifact.quantization.layers == 8
    accuracy = artifact.accuracy
    assert accuracy.before > 0.8
    assert accuracy.before - accuracy.after <= 0.05
    low, high = accuracy.interval
    assert low <= accuracy.after - accuracy.before <= high
    import onnx

    nodes = [node.op_type for node in onnx.load(artifact.path / "model.onnx").graph.node]
    assert nodes.count("DequantizeLinear") > 8


def test_int8_that_loses_too_much_is_float32_as_a_whole(digits_weights, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="needs the extra export")
    from residua.deploy.quantization import Choice

    lost = Choice(floats=frozenset(), drop=3.0, kept=False)
    monkeypatch.setattr("residua.deploy.quantization.choose", lambda *_: lost)
    artifact = export(digits_weights, precision="int8", data="digits", out=tmp_path / "a")
    assert artifact.precision == "fp32"
    assert artifact.quantization.quantized == 0
    assert artifact.quantization.fallback == (
        "int8 loses 3.00 points on 144 validation images, more than the 0.5 of --max-drop: all layers stay float32"
    )
    assert artifact.parity.tolerance == parity.TOLERANCES["fp32"]
    assert read_artifact(tmp_path / "a") == artifact


def test_answers_that_differ_are_refused_and_nothing_is_left(digits_weights, tmp_path, monkeypatch):
    monkeypatch.setitem(parity.TOLERANCES, "fp32", -1.0)
    with pytest.raises(ResiduaError, match="its answers differ from the network's by"):
        export(digits_weights, format="pt2", data="digits", out=tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_a_weight_file_alone_is_compared_on_noise(digits_weights, tmp_path):
    artifact = export(digits_weights, format="pt2", out=tmp_path / "a")
    assert artifact.parity.of == "seeded noise"
    assert artifact.notes == (f"{digits_weights} does not say where its images are: checked on seeded noise",)
    with pytest.raises(UsageError, match="name them with --data"):
        export(digits_weights, precision="int8", out=tmp_path / "b", format="onnx")


@pytest.mark.slow
def test_bfloat16_is_for_processors_that_have_it(digits_weights, tmp_path, monkeypatch):
    from residua.deploy import export as module

    class Old:
        cpu, has_fast_bf16 = "Old 1", False

    monkeypatch.setattr(module, "machine", lambda: Old)
    with pytest.raises(
        ResiduaError, match="bf16 needs a processor that computes in bfloat16, and Old 1 does not"
    ):
        export(digits_weights, format="pt2", precision="bf16", data="digits", out=tmp_path / "a")
    Old.has_fast_bf16 = True
    artifact = export(digits_weights, format="pt2", precision="bf16", data="digits", out=tmp_path / "a")
    assert 1e-6 < artifact.parity.relative_error < 5e-2
    assert artifact.accuracy.images == len(DIGITS.test)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": "tflite"}, "unknown format 'tflite'"),
        ({"format": "pt2", "precision": "int8"}, "pt2 has the precisions fp32, bf16, not int8"),
        ({"precision": "int4"}, "onnx has the precisions"),
        ({"max_drop": -1}, "max_drop is a number of points from 0"),
        ({"format": "pt2"}, "is no run: say with --out"),
    ],
)
def test_wrong_usage(digits_weights, changes, said):
    with pytest.raises(UsageError, match=said):
        export(digits_weights, **changes)


def test_networks_that_take_no_images_are_refused(tmp_path):
    for name, said in (("transformer_tiny", "takes no images"), ("sngan_tiny", "takes no images")):
        save_model(tmp_path / "w.safetensors", create_model(name))
        with pytest.raises(UsageError, match=said):
            export(tmp_path / "w.safetensors", format="pt2", out=tmp_path / "a")
