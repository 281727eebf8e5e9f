"""A flipped bit anywhere in a tensor file is refused, and what has no digest says so."""

import logging
import random
import shutil
from pathlib import Path

import pytest
import torch
import xxhash
from safetensors.torch import save_file

from residua import load_model
from residua.errors import ResiduaError
from residua.registry import build, model_spec
from residua.weights.digest import UNSEALED, digest_of, seal
from residua.weights.model_files import read_about, read_tensors, save_model, save_tensors, stated_digest

OLD = Path(__file__).parent / "files" / "version_0_1.safetensors"  # save_model of version 0.1.0
ABOUT = {"schema": 1, "spec": {"name": "x"}}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("digest") / "model.safetensors"
    save_model(path, build(model_spec("cifar_resnet8", widths=[2, 3, 4], num_classes=3)), {"classes": ["a"]})
    return path


def _flipped(path, content, bit):
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)


def _regions(content):
    """The first and the last byte (exclusive) of every part of a tensor file."""
    header = 8 + int.from_bytes(content[:8], "little")
    digest = content.index(b"xxh3_128:") + len(b"xxh3_128:")
    text = content[:header].rstrip(b" ")
    return {
        "length": (0, 8),
        "keys before the digest": (8, digest),
        "digest": (digest, digest + 32),
        "rest of the header": (digest + 32, len(text)),
        "padding": (len(text), header),
        "tensors": (header, len(content)),
    }


@pytest.mark.parametrize("region", ["length", "keys before the digest", "digest", "padding"])
def test_every_bit_of_the_small_parts_is_guarded(file, tmp_path, region):
    content, damaged = file.read_bytes(), tmp_path / "damaged.safetensors"
    first, last = _regions(content)[region]
    for bit in range(8 * first, 8 * last):
        _flipped(damaged, content, bit)
        with pytest.raises(ResiduaError) as caught:
            load_model(damaged)
        assert str(damaged) in str(caught.value), bit
        assert "\n" not in str(caught.value), bit


@pytest.mark.parametrize("region", ["rest of the header", "tensors"])
def test_bits_drawn_from_the_large_parts_are_guarded(file, tmp_path, region):
    content, damaged = file.read_bytes(), tmp_path / "damaged.safetensors"
    first, last = _regions(content)[region]
    for bit in random.Random(0).sample(range(8 * first, 8 * last), 300):
        _flipped(damaged, content, bit)
        with pytest.raises(ResiduaError, match=r"damaged\.safetensors") as caught:
            read_tensors(damaged)
        assert "\n" not in str(caught.value), bit


def test_the_padding_is_there_to_be_tested(file):
    first, last = _regions(file.read_bytes())["padding"]
    assert last > first


def test_every_bit_of_an_empty_file_is_guarded(tmp_path):
    path = tmp_path / "none.safetensors"
    save_tensors(path, {}, ABOUT)
    content = path.read_bytes()
    for bit in range(8 * len(content)):
        _flipped(path, content, bit)
        with pytest.raises(ResiduaError, match=r"none\.safetensors"):
            read_tensors(path)


def test_the_digest_is_read_from_the_header_alone(tmp_path):
    path, other = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_tensors(path, {"a": torch.zeros(3)}, ABOUT)
    save_tensors(other, {"a": torch.ones(3)}, ABOUT)
    assert stated_digest(path) != stated_digest(other)
    assert stated_digest(path).startswith("xxh3_128:")
    assert stated_digest(OLD) is None
    path.write_bytes(path.read_bytes()[:-4])
    assert stated_digest(path) is not None
    with pytest.raises(ResiduaError, match=r"cannot read .*missing"):
        stated_digest(tmp_path / "missing.safetensors")


def test_files_with_a_digest_and_without_are_told_from_others(tmp_path):
    save_tensors(tmp_path / "a", {"a": torch.zeros(3)}, ABOUT)
    assert digest_of(tmp_path / "a") == stated_digest(tmp_path / "a")
    assert digest_of(OLD) == f"xxh3_128:{xxhash.xxh3_128(OLD.read_bytes()).hexdigest()}"
    with pytest.raises(ResiduaError, match=r"cannot read .*missing"):
        digest_of(tmp_path / "missing")


def test_a_file_of_the_same_tensors_has_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_tensors(tmp_path / name, {"x": torch.arange(5), "y": torch.ones(2, 2)}, ABOUT)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_was_saved_comes_back_without_the_digest(tmp_path):
    save_tensors(
        tmp_path / "a", {"x": torch.arange(5), "none": torch.zeros(0, 3), "one": torch.tensor(2.5)}, ABOUT
    )
    tensors, about = read_tensors(tmp_path / "a")
    assert about == read_about(tmp_path / "a") == ABOUT
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == {
        "x": [0, 1, 2, 3, 4],
        "none": [],
        "one": 2.5,
    }


def test_a_file_with_a_digest_is_loaded_in_silence(file, caplog):
    load_model(file)
    assert not caplog.records


def test_a_file_of_version_0_1_loads_and_says_that_nothing_vouches_for_it(tmp_path, caplog):
    path = tmp_path / "old.safetensors"
    shutil.copy(OLD, path)
    with caplog.at_level(logging.WARNING, logger="residua"):
        assert load_model(path).spec.name == "cifar_resnet8"
        load_model(path)
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} states no digest: nothing vouches for its bytes"
    ]


def test_another_order_of_the_header_is_not_sealed(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata={"residua": f'{{"schema": 1, "digest": "{UNSEALED}"}}'})
    with pytest.raises(ResiduaError, match="cannot write"):
        seal(path)
