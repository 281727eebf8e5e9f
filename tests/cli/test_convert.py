import json

import pytest
import torch

from residua.cli.main import main
from residua.loading import create_model, load_model, load_weights
from residua.weights.model_files import save_model


@pytest.fixture
def residua(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(["convert", *map(str, arguments)])
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return run


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    about = {"classes": ["cat", "dog", "eel"], "shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.2] * 3}
    path = tmp_path / "w.safetensors"
    save_model(path, create_model("cifar_resnet8", num_classes=3, shortcut="B"), about)
    return path


def test_there_and_back(residua, weights, tmp_path):
    code, out, err = residua(weights, tmp_path / "there", "--to", "chenyaofo", "--json")
    result = json.loads(out)
    assert (code, err) == (0, "")
    assert result["path"] == str(tmp_path / "there.safetensors")
    assert (result["from"], result["to"], result["parameters"]) == ("residua", "chenyaofo", 77_587)
    there = load_weights(result["path"])
    assert (there.data["library"], there.data["classes"]) == ("chenyaofo", ["cat", "dog", "eel"])
    code, out, _ = residua(result["path"], tmp_path / "back.safetensors", "--to", "residua")
    assert code == 0
    assert "chenyaofo to residua" in out
    before, after = load_weights(weights), load_weights(tmp_path / "back.safetensors")
    assert before.spec == after.spec
    assert all(torch.equal(after.tensors[name], tensor) for name, tensor in before.tensors.items())
    assert after.data["mean"] == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".th"])
def test_a_plain_state_dict_holds_nothing_else(residua, weights, tmp_path, suffix):
    path = tmp_path / f"there{suffix}"
    assert residua(weights, path, "--to", "chenyaofo")[0] == 0
    state = torch.load(path, weights_only=True)
    assert type(state) is dict
    assert {type(tensor) for tensor in state.values()} == {torch.Tensor}
    assert all(tensor.untyped_storage().nbytes() == tensor.nbytes for tensor in state.values())


def test_nothing_is_overwritten_unasked(residua, weights, tmp_path):
    path = tmp_path / "mine.pth"
    path.write_bytes(b"mine")
    code, _, err = residua(weights, path, "--to", "chenyaofo")
    assert code == 2
    assert "--overwrite" in err
    assert path.read_bytes() == b"mine"
    assert residua(weights, path, "--to", "akamaster", "--overwrite")[0] == 0
    assert load_weights(path).data["library"] == "akamaster"


WRONG = [
    (["--to", "torchvision"], "stem is 'imagenet' there, here 'cifar'"),
    (["--to", "torchvsion"], "did you mean 'torchvision'"),
    (["--to", "chenyaofo", "--stride-on", "1x1"], "says what network it is"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_what_cannot_be_is_one_line_and_writes_nothing(residua, weights, tmp_path, options, message):
    code, out, err = residua(weights, tmp_path / "out.pth", *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out.pth").exists()


def test_names_of_files(residua, weights, tmp_path):
    assert "residua's own weights" in residua(weights, tmp_path / "a.pth", "--to", "residua")[2]
    assert "ends with" in residua(weights, tmp_path / "a.onnx", "--to", "chenyaofo")[2]
    assert "there is no file" in residua(tmp_path / "none.pth", tmp_path / "a.pth", "--to", "chenyaofo")[2]
    assert "cannot write" in residua(weights, tmp_path / "no" / "a.pth", "--to", "chenyaofo")[2]


def test_what_was_assumed_is_said_or_told(residua, tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "r50.safetensors"
    save_model(path, create_model("resnet50", depths=[1, 1, 1, 1], num_classes=5))
    assert residua(path, tmp_path / "tv.pth", "--to", "torchvision")[0] == 0
    assert "v1.5" in residua(tmp_path / "tv.pth", tmp_path / "a", "--to", "residua")[1]
    code, out, _ = residua(tmp_path / "tv.pth", tmp_path / "v1", "--to", "residua", "--stride-on", "1x1")
    assert (code, "v1.5" in out) == (0, False)
    assert load_weights(tmp_path / "v1.safetensors").spec.unit.stride_on == "1x1"
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path / "a.safetensors")(images), load_model(path)(images))


@pytest.mark.parametrize(
    ("name", "accuracy"),
    [
        ("resnet20-12fca82f", 91.64),
        pytest.param("resnet56-4bfd9763", 92.72, marks=pytest.mark.slow),
    ],
)
def test_published_checkpoints_come_back_as_they_were(residua, shared, tmp_path, name, accuracy):
    from residua.evaluation import evaluate

    source = shared / "data" / "peer-checkpoints" / f"{name}.th"
    assert residua(source, tmp_path / "here", "--to", "residua")[0] == 0
    assert residua(tmp_path / "here.safetensors", tmp_path / "back.th", "--to", "akamaster")[0] == 0
    theirs = torch.load(source, map_location="cpu", weights_only=True)["state_dict"]
    theirs = {key.removeprefix("module."): tensor for key, tensor in theirs.items()}
    back = torch.load(tmp_path / "back.th", weights_only=True)
    assert set(back) == set(theirs)
    assert all(torch.equal(back[key], tensor) for key, tensor in theirs.items())
    (measured,) = evaluate([str(tmp_path / "back.th")], str(shared / "data" / "cifar10-head"))
    assert round(100 * measured.top1, 2) == accuracy
