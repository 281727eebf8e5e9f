"""Checkpoints of several files beside an index: as Hugging Face's library writes them, and hostile ones."""

import json

import pytest
import torch
from safetensors.torch import save_file

from residua.convert import to_library
from residua.convert.shards import read_checkpoint
from residua.errors import ResiduaError, UsageError
from residua.loading import load_model, load_weights
from residua.registry import build, model_spec
from residua.weights.model_files import Weights

FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build(model_spec("cifar_resnet8", shortcut="B")).eval()


@pytest.fixture
def state(network):
    return to_library(Weights(network.state_dict(), network.spec), "chenyaofo")


def save(folder, state, *, first=FIRST, second=SECOND, write=save_file, name="model.safetensors.index.json"):
    """A state dict in two shards, and the path of their index."""
    names = sorted(state)
    halves = {first: names[::2], second: names[1::2]}
    for file, part in halves.items():
        write({one: state[one] for one in part}, folder / file)
    return index(folder, {one: file for file, part in halves.items() for one in part}, name)


def index(folder, places, name="model.safetensors.index.json"):
    path = folder / name
    path.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return path


def assert_same(model, network):
    found = model.state_dict()
    assert all(torch.equal(found[name], one) for name, one in network.state_dict().items())


def test_shards_of_safetensors(tmp_path, state, network):
    path = save(tmp_path, state)
    assert_same(load_model(path), network)
    assert_same(load_model(str(path)), network)


def test_shards_of_torch(tmp_path, state, network):
    files = {"first": "pytorch_model-1.bin", "second": "pytorch_model-2.bin"}
    path = save(tmp_path, state, **files, write=torch.save, name="pytorch_model.bin.index.json")
    assert_same(load_model(path), network)


def test_shards_as_hugging_face_writes_them(tmp_path, state, network):
    hub = pytest.importorskip("huggingface_hub")
    hub.save_torch_state_dict(
        {f"model.{name}": one for name, one in state.items()}, tmp_path, max_shard_size="100KB"
    )
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert_same(load_model(tmp_path / "model.safetensors.index.json"), network)


@pytest.mark.parametrize(
    "file",
    [
        *("../secret.safetensors", "/etc/secret.safetensors", "a/b.safetensors", "..\\secret.safetensors"),
        *("", ".", "..", "model.safetensors.index.json", "secret", "a\0.safetensors", "C:\\a.safetensors"),
    ],
)
def test_a_shard_lies_beside_its_index(tmp_path, state, file):
    folder = tmp_path / "folder"
    folder.mkdir()
    for place in (tmp_path, folder):
        save_file(state, place / "secret.safetensors")
    refused(index(folder, dict.fromkeys(state, file)), "is no name of a weight file beside it")


def refused(path, message):
    with pytest.raises(ResiduaError, match=message) as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_missing_shard_is_named(tmp_path, state):
    path = save(tmp_path, state)
    (tmp_path / SECOND).unlink()
    refused(path, f"names {SECOND}, which does not lie beside it")
    with pytest.raises(UsageError, match=r"there is no file none\.index\.json"):
        load_weights("none.index.json")


def test_names_in_two_shards_in_none_and_in_the_wrong_one(tmp_path, state):
    path = save(tmp_path, state)
    name = sorted(state)[0]
    places = json.loads(path.read_text())["weight_map"]
    index(tmp_path, {**places, name: SECOND})
    refused(path, f"{FIRST} holds {name}, for which")
    index(tmp_path, {**places, "more.weight": FIRST})
    refused(path, f"names {FIRST} for more.weight, which is not in it")
    index(tmp_path, places)
    part = sorted(state)[1::2]
    save_file({one: state[one] for one in [*part, name]}, tmp_path / SECOND)
    refused(path, f"{SECOND} holds {name}, for which")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": 1}}', "[" * 100_000]
)
def test_what_is_no_index_is_one_line(tmp_path, content):
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(content)
    refused(path, "is damaged: .*weight_map|is damaged: it must be a table|is not valid JSON")


def test_a_huge_index_is_refused(tmp_path):
    path = tmp_path / "model.safetensors.index.json"
    with path.open("wb") as file:
        file.truncate(1 << 34)
    refused(path, "an index has no 16384 MiB")
