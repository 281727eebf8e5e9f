"""Checkpoints that other people's trainers wrote of residua's own networks: names of ours, and no word of which."""

import argparse
import logging

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from residua.cli.main import main
from residua.errors import ResiduaError, UsageError
from residua.loading import create_model, load_into, load_model, load_weights
from residua.weights.model_files import save_model

NAME = "cifar_resnet8"
IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def trained(name=NAME, **changes):
    """A network with statistics as after a training."""
    torch.manual_seed(3)
    model = create_model(name, **changes)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return model.eval()


class Lit(nn.Module):
    """What Lightning calls a module: the network is an attribute, the loss lies beside it."""

    def __init__(self, network):
        super().__init__()
        self.net = network
        self.criterion = nn.CrossEntropyLoss(weight=torch.ones(7))


def lightning(network):
    """The keys of a checkpoint of Lightning's."""
    module = Lit(network)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    about = {
        "epoch": 3,
        "hyper_parameters": argparse.Namespace(lr=0.1),
        "callbacks": {"best": torch.tensor(0.5)},
    }
    return {**about, "state_dict": module.state_dict(), "optimizer_states": [optimizer.state_dict()]}


def averaged(network):
    average = torch.optim.swa_utils.AveragedModel(network)
    average.update_parameters(network)
    return {"state_dict": create_model(NAME).state_dict(), "ema": average.state_dict()}


WRAPPED = {
    "a loop's": lambda net: {"model_state_dict": net.state_dict(), "epoch": 1},
    "Lightning's": lightning,
    "DataParallel of a compiled network": lambda net: nn.DataParallel(torch.compile(net)).state_dict(),
    "an average beside the network": averaged,
    "a backbone": lambda net: {f"backbone.{name}": one for name, one in net.state_dict().items()},
    "a module": lambda net: {"model": net},
}


def assert_same(one, other):
    with torch.no_grad():
        assert torch.equal(one.eval()(IMAGES), other.eval()(IMAGES))


def residua(*words):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return ended.value.code


@pytest.mark.parametrize("kind", WRAPPED)
def test_what_a_trainer_wrote_of_a_network_of_ours_is_read(tmp_path, kind):
    path = tmp_path / "a.ckpt"
    torch.save(WRAPPED[kind](trained()), path)
    assert_same(create_model(NAME, pretrained=path), trained())
    into = create_model(NAME)
    assert load_into(into, path).fresh == ()
    assert_same(into, trained())


@pytest.mark.parametrize(
    "name", ["vit_digits", "densenet_tiny", "segmenter_tiny", "detector_tiny", "transformer_tiny"]
)
@pytest.mark.parametrize("kind", ["a loop's", "a backbone", "a module"])
def test_of_any_family(tmp_path, name, kind):
    model = create_model(name)
    torch.save(WRAPPED[kind](model), tmp_path / "a.ckpt")
    found = create_model(name, pretrained=tmp_path / "a.ckpt").state_dict()
    assert all(torch.equal(found[key], tensor) for key, tensor in model.state_dict().items())


def test_of_libraries_that_write_safetensors_or_bin(tmp_path):
    save_file(trained().state_dict(), tmp_path / "model.safetensors")
    torch.save(trained().state_dict(), tmp_path / "pytorch_model.bin")
    for name in ("model.safetensors", "pytorch_model.bin"):
        assert_same(create_model(NAME, pretrained=tmp_path / name), trained())


def test_another_classifier_and_other_channels_are_adapted_as_of_any_file(tmp_path, caplog):
    path = tmp_path / "a.ckpt"
    torch.save(lightning(trained(num_classes=7)), path)
    with caplog.at_level(logging.WARNING, "residua"):
        started = create_model(NAME, num_classes=3, in_channels=1, pretrained=path)
    assert "fresh: head.fc.weight (3 classes, the weights have 7)" in caplog.text
    assert "stem.conv.weight adapted from 3 to 1 channels" in caplog.text
    unit = "stages.0.0.branch.conv1.weight"
    assert torch.equal(started.state_dict()[unit], trained(num_classes=7).state_dict()[unit])
    assert load_weights(path, started.spec).spec.num_classes == 7
    features = load_into(create_model(NAME, num_classes=0), path)
    assert features.changed == ("head.fc.weight left out", "head.fc.bias left out")


def test_without_a_classifier_or_counters(tmp_path):
    state = {name: one for name, one in trained().state_dict().items() if "num_batches" not in name}
    torch.save(state, tmp_path / "a.pth")
    assert_same(create_model(NAME, pretrained=tmp_path / "a.pth"), trained())
    torch.save({name: one for name, one in state.items() if not name.startswith("head.")}, tmp_path / "b.pth")
    model = create_model(NAME)
    assert "head.fc.bias (the weights have no classifier)" in load_into(model, tmp_path / "b.pth").fresh


def test_averages_and_what_is_left_out_are_said(tmp_path, caplog):
    tensors = Lit(trained()).state_dict()
    torch.save({"state_dict": tensors, "ema": tensors}, tmp_path / "a.ckpt")
    weights = load_weights(tmp_path / "a.ckpt", trained().spec)
    assert weights.notes[0] == "left out: criterion.weight"
    assert "averaged" in weights.notes[1]
    with caplog.at_level(logging.INFO, "residua"):
        create_model(NAME, pretrained=tmp_path / "a.ckpt")
    assert "tensors loaded; left out: criterion.weight; its averaged weights are taken" in caplog.text


@pytest.mark.parametrize("prefix", ["", "net."])
def test_a_file_that_does_not_say_of_what_network_is_refused_with_both_ways_out(tmp_path, prefix, capsys):
    path = tmp_path / "a.ckpt"
    torch.save({"state_dict": {prefix + name: one for name, one in trained().state_dict().items()}}, path)
    with pytest.raises(ResiduaError) as caught:
        load_model(path)
    for words in (str(path), "residua.create_model(NAME, pretrained=FILE)", "residua.save_model"):
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert residua("evaluate", path, "digits") == 1
    assert "--model NAME" in capsys.readouterr().err


def test_of_another_network_than_told_is_one_line(tmp_path):
    torch.save(trained().state_dict(), tmp_path / "a.ckpt")
    with pytest.raises(ResiduaError, match=r"a\.ckpt is not of cifar_resnet14: it has no stages\.0\.1"):
        create_model("cifar_resnet14", pretrained=tmp_path / "a.ckpt")
    torch.save(trained("cifar_resnet14").state_dict(), tmp_path / "a.ckpt")
    with pytest.raises(ResiduaError, match=r"is not of cifar_resnet8: it also has stages\.0\.1"):
        create_model(NAME, pretrained=tmp_path / "a.ckpt")
    with pytest.raises(UsageError, match=r"is \[16, 16, 3, 3\], here \[8, 8, 3, 3\]|is \[16, 3, 3, 3\]"):
        torch.save(trained().state_dict(), tmp_path / "a.ckpt")
        create_model(NAME, widths=[8, 16, 32], pretrained=tmp_path / "a.ckpt")
    with pytest.raises(UsageError, match="there is no file"):
        create_model(NAME, pretrained=tmp_path / "b.ckpt")


@pytest.mark.parametrize("odd", [torch.tensor(1.0), torch.zeros(0), torch.zeros(10, 64, 2)])
def test_odd_shapes_are_one_line(tmp_path, odd):
    torch.save({**trained().state_dict(), "head.fc.weight": odd}, tmp_path / "a.ckpt")
    with pytest.raises(UsageError, match=r"a\.ckpt: the weights are of cifar_resnet8: head\.fc\.weight is"):
        create_model(NAME, pretrained=tmp_path / "a.ckpt")


@pytest.mark.parametrize("shape", [(16, 0, 3, 3), (16, 5, 3), (16,), ()])
def test_a_first_convolution_of_no_use_is_one_line(tmp_path, shape):
    torch.save({**trained().state_dict(), "stem.conv.weight": torch.zeros(shape)}, tmp_path / "a.ckpt")
    with pytest.raises(UsageError, match=r"stem\.conv\.weight is"):
        create_model(NAME, pretrained=tmp_path / "a.ckpt")


def test_whole_numbers_are_adapted_too(tmp_path):
    state = {**trained().state_dict(), "stem.conv.weight": torch.ones(16, 5, 3, 3, dtype=torch.int64)}
    torch.save(state, tmp_path / "a.ckpt")
    weight = create_model(NAME, pretrained=tmp_path / "a.ckpt").stem.conv.weight
    assert weight[0, 0, 0, 0].item() == pytest.approx(5 / 3)


def test_a_module_that_is_none_of_ours_is_one_line(tmp_path):
    torch.save(trained().state_dict(), tmp_path / "a.ckpt")
    with pytest.raises(
        UsageError, match="a network of create_model was expected, not a Lit; if it holds one"
    ):
        load_into(Lit(trained()), tmp_path / "a.ckpt")


def test_training_starts_from_such_a_file(tmp_path, capsys):
    path = tmp_path / "a.ckpt"
    torch.save(lightning(trained(in_channels=1)), path)
    words = ["train", "digits", "--weights", path, "--limit-batches", 1, "--epochs", 1, "--compile", "off"]
    assert residua(*words, "--run-dir", tmp_path / "a") == 1
    assert "--model NAME" in capsys.readouterr().err
    assert residua(*words, "--model", NAME, "--run-dir", tmp_path / "b") == 0
    assert "tensors loaded; left out: criterion.weight" in capsys.readouterr().err


def test_notes_of_a_strangers_file_may_be_anything(tmp_path):
    save_model(tmp_path / "a.safetensors", trained(), {"notes": 5})
    assert load_weights(tmp_path / "a.safetensors").notes == ()
