"""Tensor files as others may write them: misaligned, claiming what they have not, holding no numbers."""

import json
import struct

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from residua import create_model, load_model
from residua.convert import write_weights
from residua.errors import ResiduaError
from residua.registry import build, model_spec
from residua.testing.example import example
from residua.weights.model_files import read_about, read_tensors, read_weights, save_model


def write_file(path, header, data=b"", pad=0):
    """A safetensors file of any header; ``pad`` blanks after it move the tensors away from aligned places."""
    text = json.dumps(header).encode() + b" " * pad
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def misaligned(path, out):
    """Write a safetensors file anew so that no tensor of it lies at an even place."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    del header["__metadata__"]["residua"]  # the text with the digest of other bytes
    about = json.dumps({"spec": read_about(path).get("spec")})
    write_file(out, header | {"__metadata__": {"residua": about}}, content[8 + length :])
    odd = struct.unpack("<Q", out.read_bytes()[:8])[0] % 2 == 0
    write_file(out, header | {"__metadata__": {"residua": about}}, content[8 + length :], pad=int(odd))


@pytest.mark.parametrize("name", ["resnest_tiny", "segmenter_tiny", "resnext_tiny"])
@torch.no_grad()
def test_weights_at_odd_places_are_aligned_in_memory_and_give_equal_bits(tmp_path, name):
    torch.manual_seed(0)
    model = build(model_spec(name)).eval()
    save_model(tmp_path / "model.safetensors", model)
    misaligned(tmp_path / "model.safetensors", tmp_path / "odd.safetensors")
    raw = (tmp_path / "odd.safetensors").read_bytes()
    assert struct.unpack("<Q", raw[:8])[0] % 2 == 1
    loaded = load_model(tmp_path / "odd.safetensors")
    assert all(tensor.data_ptr() % 64 == 0 for tensor in loaded.state_dict().values())
    x = example(model.spec)
    for own, theirs in zip(_flat(model(x)), _flat(loaded(x)), strict=True):
        assert torch.equal(own, theirs)


def _flat(outputs):
    return [outputs] if isinstance(outputs, torch.Tensor) else [t for one in outputs for t in _flat(one)]


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_tensors_of_other_libraries_are_aligned_too(tmp_path, suffix):
    model = create_model("resnet18", depths=[1, 1, 1, 1], num_classes=3)
    save_model(tmp_path / "own.safetensors", model)
    path = tmp_path / f"theirs{suffix}"
    write_weights(path, read_weights(tmp_path / "own.safetensors"), "torchvision")
    if suffix == ".safetensors":
        misaligned(path, path)
    loaded = load_model(path)
    assert all(tensor.data_ptr() % 64 == 0 for tensor in loaded.state_dict().values())


def test_the_file_may_change_after_it_was_read(tmp_path):
    save_model(tmp_path / "m.safetensors", create_model("cifar_resnet8"))
    tensors = read_tensors(tmp_path / "m.safetensors")[0]
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    with (tmp_path / "m.safetensors").open("rb+") as file:  # in place
        file.write(b"\xff" * (tmp_path / "m.safetensors").stat().st_size)
    assert all(torch.equal(tensors[name], tensor) for name, tensor in before.items())


def _entry(begin, end, shape=(1,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


HOSTILE = {
    "more than the file has": {"a": _entry(0, 2**40, [2**38])},
    "fewer bytes than numbers": {"a": _entry(0, 4, [2**38])},
    "a product beyond 64 bits": {"a": _entry(0, 4, [2**40, 2**40])},
    "zero times everything": {"a": _entry(0, 0, [0, 2**62, 2**62]), "b": _entry(0, 4)},
    "overlapping": {"a": _entry(0, 4), "b": _entry(0, 4)},
    "overlapping in part": {"a": _entry(0, 4), "b": _entry(2, 6)},
    "a hole": {"a": _entry(4, 8)},
    "backwards": {"a": _entry(4, 0)},
    "negative": {"a": _entry(-4, 0)},
    "negative shape": {"a": _entry(0, 4, [-1, -1])},
    "left over": {},
    "no type": {"a": {"shape": [1], "data_offsets": [0, 4]}},
    "unknown type": {"a": _entry(0, 4, dtype="F4")},
    "type is a list": {"a": _entry(0, 4, dtype=["F32"])},
    "shape is a number": {"a": {"dtype": "F32", "shape": 1, "data_offsets": [0, 4]}},
    "shape is true": {"a": _entry(0, 4, [True])},
    "three offsets": {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}},
    "entry is a list": {"a": [1, 2]},
    "metadata is a list": {"__metadata__": [], "a": _entry(0, 4)},
    "metadata holds a number": {"__metadata__": {"residua": 3}, "a": _entry(0, 4)},
    "many tensors": {str(i): _entry(0, 0, [0]) for i in range(160_000)},
}


@pytest.mark.parametrize("header", HOSTILE.values(), ids=HOSTILE)
def test_headers_that_lie_are_refused_in_one_line(tmp_path, header):
    path = tmp_path / "hostile.safetensors"
    write_file(path, header, b"\0\0\0\0")
    with pytest.raises(ResiduaError, match=r"^.*hostile\.safetensors.*$") as caught:
        read_tensors(path)
    assert "\n" not in str(caught.value)


@given(
    st.dictionaries(
        st.text(max_size=3),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.sampled_from(["F32", "I8", "x"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["dtype", "shape", "data_offsets"]), inner)
                | st.fixed_dictionaries({"dtype": inner, "shape": inner, "data_offsets": inner})
            ),
            max_leaves=8,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_any_header_is_read_or_refused_in_one_line(tmp_path_factory, header):
    path = tmp_path_factory.mktemp("header") / "any.safetensors"
    write_file(path, header, b"\0" * 4)
    with pytest.raises(ResiduaError, match=r"any\.safetensors"):
        read_tensors(path)


@pytest.mark.parametrize(("value", "said"), [(float("nan"), True), (float("-inf"), True), (3e38, False)])
def test_weights_that_are_not_finite_are_said(tmp_path, caplog, value, said):
    model = create_model("cifar_resnet8")
    model.head.fc.bias.data[:] = value  # of 3e38 the sum is infinite, the numbers are not
    path = tmp_path / "m.safetensors"
    save_model(path, model)
    load_model(path)
    message = f"{path}: the weights: NaN or infinity in "
    assert [record.getMessage().startswith(message) for record in caplog.records] == [True] * said
    caplog.clear()
    create_model("cifar_resnet8", pretrained=path)
    assert sum(record.getMessage().startswith(message) for record in caplog.records) == said
