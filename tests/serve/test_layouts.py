import pytest

from residua.errors import UsageError
from residua.serve.layouts import write_layout

for library in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(library, reason="needs the extra export")

CONFIG = """\
name: "tones"
backend: "onnxruntime"
max_batch_size: 32
input [ {
  name: "images"
  data_type: TYPE_UINT8
  dims: [ 1, 8, 8 ]
} ]
output [ {
  name: "logits"
  data_type: TYPE_FP32
  dims: [ 2 ]
  label_filename: "labels.txt"
} ]
output [ {
  name: "cam"
  data_type: TYPE_FP32
  dims: [ -1, -1 ]
} ]
dynamic_batching { max_queue_delay_microseconds: 2000 }
"""


@pytest.fixture(scope="module")
def artifact(weights, tmp_path_factory):
    from residua.deploy.export import export

    return export(weights(), out=tmp_path_factory.mktemp("exported") / "tones").path


def test_triton_is_told_what_the_model_takes_and_gives(artifact, tmp_path):
    import onnxruntime

    version = write_layout("triton", artifact, tmp_path, "tones")
    assert version == tmp_path / "tones" / "1"
    assert (tmp_path / "tones" / "config.pbtxt").read_text() == CONFIG
    assert (tmp_path / "tones" / "labels.txt").read_text() == "dark\nlight\n"
    session = onnxruntime.InferenceSession(version / "model.onnx", providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    assert (taken.name, taken.type, taken.shape[1]) == ("images", "tensor(uint8)", 1)
    assert [output.name for output in session.get_outputs()] == ["logits", "cam"]


def test_versions_are_added_and_never_changed(artifact, tmp_path):
    for number in (1, 2):
        assert write_layout("ovms", artifact, tmp_path, "tones") == tmp_path / "tones" / str(number)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "1",
        "2",
        "model.onnx",
        "model.onnx",
        "tones",
    ]


def test_what_cannot_be_laid_out_is_refused(artifact, tmp_path):
    with pytest.raises(UsageError, match="triton or ovms"):
        write_layout("tritn", artifact, tmp_path, "tones")
    with pytest.raises(UsageError, match=r"no artifact\.json|no artifact"):
        write_layout("triton", tmp_path, tmp_path / "out", "tones")
    assert not (tmp_path / "out").exists()
