"""Files of torch.save as torch reads them, tensor by tensor; what lies beside the tensors is skipped."""

import argparse
import datetime
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from residua.convert.tensors import read_file
from residua.convert.torch_files import read_torch
from residua.convert.wrappers import networks
from residua.errors import ResiduaError

torch.manual_seed(0)
BASE = torch.randn(4, 6)
TENSORS = {
    **{
        str(dtype).removeprefix("torch."): (torch.randn(3, 5) * 50).to(dtype)
        for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16)
    },
    **{
        str(dtype).removeprefix("torch."): torch.randint(0, 100, (7,)).to(dtype)
        for dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)
    },
    "not a number": torch.tensor([float("nan"), float("inf"), -0.0]),
    "of no dimension": torch.tensor(3),
    "empty": torch.zeros(0),
    "empty with sides": torch.zeros(2, 0, 3),
    "transposed": torch.randn(4, 6).t(),
    "channels last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "of one channel": torch.randn(2, 1, 3, 3).to(memory_format=torch.channels_last),
    "strided": torch.randn(40)[3::7],
    "whole": BASE,
    "a row of it": BASE[2],
    "a column of it": BASE[:, 1],
    "its other name": BASE,
    "a parameter": torch.nn.Parameter(torch.randn(2, 2)),
    "without gradient": torch.nn.Parameter(torch.randn(2), requires_grad=False),
}


def saved(path, value, form="zip"):
    torch.save(value, path, _use_new_zipfile_serialization=form == "zip")
    return path


def assert_same_bits(found, expected):
    assert (found.dtype, found.shape, found.stride()) == (expected.dtype, expected.shape, expected.stride())
    raw = [one.detach().contiguous().reshape(-1).view(torch.uint8) for one in (found, expected)]
    assert torch.equal(*raw)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_tensors_are_those_of_torch_bit_for_bit(tmp_path, form, protocol):
    path = tmp_path / "a.pth"
    torch.save(TENSORS, path, _use_new_zipfile_serialization=form == "zip", pickle_protocol=protocol)
    expected = torch.load(
        path, weights_only=protocol < 4
    )  # torch's own reader of weights knows no later protocol
    file = read_torch(path)
    assert list(file.content) == list(expected) == list(TENSORS)
    for name, one in expected.items():
        assert_same_bits(file.tensor(name, file.content[name]), one)
    assert file.strangers == ()


@pytest.mark.parametrize("name", ["resnet20-12fca82f.th", "resnet56-4bfd9763.th"])
def test_published_files_of_before_2020_are_read_as_torch_does(shared, name):
    path = shared / "data/peer-checkpoints" / name
    file = read_torch(path)
    expected = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    assert list(file.content["state_dict"]) == list(expected)
    for key, view in file.content["state_dict"].items():
        assert_same_bits(file.tensor(key, view), expected[key])


def test_a_module_saved_as_a_whole_keeps_its_persistent_tensors(tmp_path):
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Sequential(torch.nn.BatchNorm2d(2)))
    module.register_buffer("kept", torch.ones(2))
    module.register_buffer("passing", torch.ones(2), persistent=False)
    for form in ("zip", "legacy"):
        checkpoint = read_file(saved(tmp_path / form, {"epoch": 1, "model": module}, form))
        (network,) = networks(checkpoint.content)
        found = checkpoint.tensors(network.entries)
        assert found.keys() == module.state_dict().keys()
        assert all(torch.equal(found[name], one) for name, one in module.state_dict().items())
        assert network.module == "torch.nn.modules.container.Sequential"


class Handmade:
    def __init__(self):
        self.text = "a" * 10


def quantised():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch gives them up
        return torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)


OTHERS = {
    "a namespace": argparse.Namespace(lr=0.1, path=Path("x")),
    "an optimizer": torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=1),
    "a number of numpy's": np.float64(3),
    "an array": np.arange(5),
    "a moment": datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC),
    "a path": Path("a/b"),
    "a class": Handmade,
    "an object": Handmade(),
    "a set": {1, (2, 3)},
    "a frozen set": frozenset({1}),
    "a number of the plane": 1j,
    "a slice": slice(1, 2),
    "tuples as keys": {(1, 2): 3},
    "bytes": bytearray(b"abc"),
    "a device": torch.device("cpu"),
    "a type": torch.float32,
    "a shape": torch.Size([1, 2]),
    "a sparse tensor": torch.zeros(3, 3).to_sparse(),
    "a complex tensor": torch.zeros(3, dtype=torch.complex64),
    "a quantised tensor": quantised(),
    "a tensor of the meta device": torch.zeros(3, device="meta"),
    "a generator's state": torch.get_rng_state(),
}


@pytest.mark.filterwarnings("ignore:Sparse", "ignore:.*quant")
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", OTHERS)
def test_what_lies_beside_the_tensors_is_skipped(tmp_path, name, protocol):
    content = {"before": OTHERS[name], "state_dict": {"w": BASE}, "list": [OTHERS[name]]}
    torch.save(content, tmp_path / "a.pth", pickle_protocol=protocol)
    file = read_torch(tmp_path / "a.pth")
    assert torch.equal(file.tensor("w", file.content["state_dict"]["w"]), BASE)


@pytest.mark.filterwarnings("ignore:Sparse", "ignore:.*quant")
@pytest.mark.parametrize("name", [name for name in OTHERS if name.endswith(("tensor", "meta device"))])
def test_a_tensor_that_is_not_plain_is_named(tmp_path, name):
    checkpoint = read_file(saved(tmp_path / "a.pth", {"w": OTHERS[name]}))
    with pytest.raises(ResiduaError, match=r"a\.pth: w is not a plain tensor of real numbers"):
        checkpoint.tensors(checkpoint.content)


def test_every_tensor_has_its_own_memory(tmp_path):
    checkpoint = read_file(saved(tmp_path / "a.pth", {"a": BASE, "b": BASE, "c": BASE[1]}))
    tensors = checkpoint.tensors(checkpoint.content)
    tensors["a"].zero_()
    assert torch.equal(tensors["b"], BASE)
    assert torch.equal(tensors["c"], BASE[1])
    assert all(one.data_ptr() % 64 == 0 for one in tensors.values())


def test_a_flipped_bit_of_a_storage_is_found(tmp_path):
    path = saved(tmp_path / "a.pth", {"w": BASE})
    content = bytearray(path.read_bytes())
    content[content.index(BASE.numpy().tobytes()) + 17] ^= 4
    path.write_bytes(content)
    file = read_torch(path)
    with pytest.raises(ResiduaError, match=r"w cannot be read: damaged: .* checksum"):
        file.tensor("w", file.content["w"])


def test_a_file_without_checksums_is_read(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        file = read_torch(saved(tmp_path / "a.pth", {"w": BASE}))
    finally:
        torch.serialization.set_crc32_options(True)
    assert torch.equal(file.tensor("w", file.content["w"]), BASE)
