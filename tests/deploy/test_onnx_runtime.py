import numpy as np
import pytest

from residua.deploy.formats.onnx import OnnxRuntime
from residua.errors import ResiduaError

onnx = pytest.importorskip("onnx", reason="needs the extra export")
pytest.importorskip("onnxruntime", reason="needs the extra export")


def refused(path, capfd):
    with pytest.raises(ResiduaError) as caught:
        OnnxRuntime(path, 1)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    return str(caught.value)


def model(weight):
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    ends = [helper.make_tensor_value_info(name, kind, [4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def test_tensors_in_other_files_are_not_read(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    np.arange(4, dtype=np.float32).tofile("secret.bin")
    weight = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [4], b"0" * 16, raw=True)
    onnx.save_model(model(weight), "fine.onnx")
    assert OnnxRuntime(tmp_path / "fine.onnx", 1)(np.zeros(4, np.float32))["y"].shape == (4,)
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    entry = weight.external_data.add()
    entry.key, entry.value = "location", "secret.bin"
    (tmp_path / "model.onnx").write_bytes(model(weight).SerializeToString())
    assert refused(tmp_path / "model.onnx", capfd).endswith("it names other files for its tensors")


@pytest.mark.parametrize("data", [b"", b"no model", b"\x08\x09" * 100])
def test_a_damaged_model_is_one_line(tmp_path, capfd, data):
    (tmp_path / "model.onnx").write_bytes(data)
    assert "ONNX Runtime does not take" in refused(tmp_path / "model.onnx", capfd)
