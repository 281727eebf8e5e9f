import json
import logging

import pytest
import torch

from residua.errors import ResiduaError, UsageError
from residua.loading import create_model, load_into, load_model, load_run, load_weights
from residua.weights.model_files import save_model, save_tensors


@pytest.fixture
def weights(tmp_path):
    """A weight file of a small network, and the network."""
    torch.manual_seed(1)
    model = create_model("cifar_resnet8").eval()
    path = tmp_path / "w.safetensors"
    save_model(path, model, {"classes": list("abcdefghij")})
    return path, model


DATA = {"kind": "digits", "storage": "memory", "classes": [], "spec": {"source": "digits"}}


@pytest.fixture
def run(tmp_path, weights):
    """The least that makes a run folder, under runs/."""
    _, model = weights
    folder = tmp_path / "runs" / "first"
    (folder / "checkpoints").mkdir(parents=True)
    for name in ("spec", "recipe", "plan", "data", "env", "result"):
        (folder / f"{name}.json").write_text(json.dumps(DATA if name == "data" else {}))
    save_model(folder / "model.safetensors", model)
    return folder


def same(one, other):
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        return torch.equal(one.eval()(images), other.eval()(images))


def test_create_model_takes_changes_and_starts_in_training_mode():
    model = create_model("cifar_resnet8", num_classes=7, in_channels=1)
    assert model.training
    assert model(torch.rand(2, 1, 16, 16)).shape == (2, 7)
    with pytest.raises(UsageError, match="cifar_resnet20"):
        create_model("cifar_resnet2O")


def test_a_weight_file_gives_its_network_in_evaluation_mode(weights):
    path, model = weights
    loaded = load_model(path)
    assert not loaded.training
    assert same(loaded, model)
    assert same(load_model(str(path)), model)
    assert load_weights(path).data == {"classes": list("abcdefghij")}


def test_pretrained_starts_from_the_weights(weights):
    path, model = weights
    assert same(create_model("cifar_resnet8", pretrained=path), model)
    assert not same(create_model("cifar_resnet8"), model)


def test_what_is_adapted_is_told(weights, caplog):
    path, model = weights
    with caplog.at_level(logging.INFO, "residua"):
        changed = create_model("cifar_resnet8", pretrained=path, num_classes=4, in_channels=1)
    assert "adapted from 3 to 1 channels" in caplog.text
    assert "head.fc.weight (4 classes" in caplog.text
    old, new = model.state_dict(), changed.state_dict()
    assert torch.equal(new["stages.2.0.branch.conv2.weight"], old["stages.2.0.branch.conv2.weight"])
    told = load_into(create_model("cifar_resnet8"), path)
    assert (told.changed, told.fresh) == ((), ())


def test_weights_of_the_same_shapes_but_another_network_are_refused(weights):
    path, _ = weights
    with pytest.raises(UsageError, match="create it with shortcut='A'"):
        create_model("cifar_resnet8", shortcut="A-split", pretrained=path)
    with pytest.raises(UsageError, match="depths"):
        create_model("cifar_resnet14", pretrained=path)
    create_model("cifar_resnet8", drop_path=0.5, pretrained=path)  # no tensor means anything else by it


def test_there_are_no_weights_to_download():
    with pytest.raises(UsageError, match="which weights: none have a name here; or a run"):
        create_model("cifar_resnet8", pretrained=True)
    with pytest.raises(UsageError, match="bundled:cifar_resnet20, akamaster:resnet20; or a run"):
        create_model("cifar_resnet20", pretrained=True)
    create_model("cifar_resnet8", pretrained=False)


def test_runs_by_path_name_and_latest(run, weights, monkeypatch):
    _, model = weights
    monkeypatch.chdir(run.parent.parent)
    (run.parent / "latest").symlink_to(run.name)
    for source in (run, str(run), "first", "latest", "runs/latest"):
        assert same(load_model(source), model)
        assert load_run(source).path.resolve() == run
    assert load_weights(run).data == DATA


def test_where_links_are_not_to_be_had_latest_is_a_text_file(run, weights, monkeypatch):
    monkeypatch.chdir(run.parent.parent)
    (run.parent / "latest").write_text("first\n")
    assert same(load_model("latest"), weights[1])
    assert same(load_model("runs/latest"), weights[1])


def test_of_an_unfinished_run_the_last_checkpoint_counts(run, weights):
    _, model = weights
    (run / "result.json").unlink()  # a run that is being extended has the old model.safetensors still
    save_model(run / "model.safetensors", create_model("cifar_resnet8", num_classes=3))
    tensors = {f"model.{name}": tensor + 0 for name, tensor in model.state_dict().items()}
    about = {"spec": model.spec.to_dict(), "model_prefix": "model."}
    save_tensors(run / "checkpoints" / "last.safetensors", {**tensors, "momentum": torch.zeros(3)}, about)
    assert same(load_model(run), model)


@pytest.mark.parametrize("source", ["none", "none.pth", "none.safetensors", "latest", "."])
def test_what_is_not_there_is_one_line(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        load_weights(source)
    assert "\n" not in str(caught.value)
    assert source in str(caught.value)


SPECS = ["x", 3, [], {}, {"family": "resnet", "depth": 3}, {"family": "alexnet"}]


@pytest.mark.parametrize("spec", SPECS)
def test_a_file_with_a_wrong_spec_is_the_fault_of_the_file(tmp_path, spec):
    path = tmp_path / "w.safetensors"
    save_tensors(path, {"a": torch.zeros(1)}, {"spec": spec})
    with pytest.raises(ResiduaError) as caught:
        load_weights(path)
    assert caught.value.exit_code == 1
    assert str(path) in str(caught.value)


def test_a_truncated_file_is_one_line(weights):
    path, _ = weights
    content = path.read_bytes()
    for length in (0, 4, 8, 9, 100, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ResiduaError, match=r"w\.safetensors") as caught:
            load_weights(path)
        assert "\n" not in str(caught.value)
