"""ONNX files of one batch run with others, by both of torch's exporters; needs the extra ``export``."""

import warnings

import pytest
import torch

from residua.registry import families, model_spec
from residua.testing.example import assert_close, example, network, tensors

TINY = [family.tiny for family in families().values() if "export" in family.capabilities]


@pytest.mark.slow
@pytest.mark.parametrize("dynamo", [True, False], ids=["export", "trace"])
@pytest.mark.parametrize("name", TINY)
def test_an_onnx_file_takes_any_batch(tmp_path, name, dynamo):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    spec, path = model_spec(name), tmp_path / "model.onnx"
    model = network(spec)
    batch = {0: torch.export.Dim("batch")}
    form = (
        {"dynamic_shapes": (batch,)}
        if dynamo
        else {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (example(spec),), path, dynamo=dynamo, external_data=False, **form)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for size in (2, 3, 5):
        x = example(spec, size)
        found = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        with torch.no_grad():
            assert_close([torch.from_numpy(y) for y in found], tensors(model(x)), 1e-4)
