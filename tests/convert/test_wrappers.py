"""Checkpoints as people have them: each is written by the code that writes such a file, and gives the same outputs."""

import argparse
import json
import logging

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from residua.convert import read_foreign, to_library
from residua.errors import ResiduaError, UsageError
from residua.loading import create_model, load_into, load_model, load_weights
from residua.registry import build, model_spec
from residua.weights.model_files import Weights

pytestmark = pytest.mark.filterwarnings("ignore:32x32 images reach")
IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
# a small network for each library whose files are wrapped: layouts with and without a prefix's name inside
NETWORKS = {
    "chenyaofo": model_spec("cifar_resnet14", shortcut="B", num_classes=7),
    "torchvision": model_spec("resnet18", depths=[1, 1, 1, 1]),
    "kuangliu": model_spec("resnet18", stem="cifar", depths=[1, 1, 1, 1]),
    "timm": model_spec("vit_ti_32", layers=1, image_size=32, num_classes=5),
}


def own(library="chenyaofo", seed=0):
    """A network with statistics as after a training."""
    torch.manual_seed(seed)
    model = build(NETWORKS[library])
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    nn.init.normal_(model.head.fc.weight, std=0.1)
    return model.eval()


def theirs(model, library="chenyaofo"):
    """The network as a module under the library's names, which trainers then wrap."""
    root = nn.Module()
    for name, tensor in to_library(Weights(model.state_dict(), model.spec), library).items():
        *path, leaf = name.split(".")
        module = root
        for part in path:
            if part not in dict(module.named_children()):
                module.add_module(part, nn.Module())
            module = module.get_submodule(part)
        if leaf.startswith(("running_", "num_batches")):
            module.register_buffer(leaf, tensor.clone())
        else:
            module.register_parameter(leaf, nn.Parameter(tensor.detach().clone()))
    return root


def assert_same_outputs(path, model, **known):
    with torch.no_grad():
        assert torch.equal(load_model(path)(IMAGES), model(IMAGES))


class Lit(nn.Module):
    """What Lightning calls a module: the network is an attribute, the loss and its weights lie beside it."""

    def __init__(self, attribute, network):
        super().__init__()
        setattr(self, attribute, network)
        self.criterion = nn.CrossEntropyLoss(weight=torch.ones(7))
        self.register_buffer("seen", torch.zeros(3))


def lightning(module):
    """The keys of a checkpoint of Lightning's."""
    return {
        "epoch": 3,
        "global_step": 100,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": module.state_dict(),
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 3}}}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.5)}},
        "optimizer_states": [torch.optim.SGD(module.parameters(), lr=0.1).state_dict()],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": argparse.Namespace(lr=0.1),
    }


def averaged(module):
    average = torch.optim.swa_utils.AveragedModel(module)
    average.update_parameters(module)
    return average


def counted(module):
    """As thop leaves a network whose operations it has counted."""
    for part in module.modules():
        if not list(part.children()):
            part.register_buffer("total_ops", torch.zeros(1, dtype=torch.float64))
            part.register_buffer("total_params", torch.zeros(1, dtype=torch.float64))
    return module


def trainer(module):
    """What a loop of one's own saves: the arguments, the optimizer itself and a function beside the tensors."""
    optimizer = torch.optim.Adam(module.parameters())
    return {"model_state_dict": module.state_dict(), "args": argparse.Namespace(a=1), "optimizer": optimizer}


WRAPPED = {
    "a state dict": lambda net: net.state_dict(),
    **{
        key: lambda net, key=key: {key: net.state_dict(), "epoch": 1}
        for key in ("state_dict", "model_state_dict", "model", "net", "params", "ema", "weights")
    },
    "a trainer's": trainer,
    "two wrappers": lambda net: {"model": {"state_dict": net.state_dict()}},
    "DataParallel": lambda net: {"net": nn.DataParallel(net).state_dict(), "acc": 93.1},
    "torch.compile": lambda net: torch.compile(net).state_dict(),
    "both": lambda net: torch.compile(nn.DataParallel(net)).state_dict(),
    "AveragedModel": lambda net: averaged(net).state_dict(),
    "AveragedModel among others": lambda net: {"ema": averaged(net).state_dict(), "step": torch.tensor(3)},
    **{
        f"Lightning's {attribute}": lambda net, attribute=attribute: lightning(Lit(attribute, net))
        for attribute in ("net", "model", "backbone", "encoder", "network")
    },
    "thop": lambda net: counted(net).state_dict(),
    "a module": lambda net: net,
    "a module among others": lambda net: {"epoch": 3, "model": net, "ema": None},
    "a module in DataParallel": nn.DataParallel,
    "an averaged module": averaged,
}


@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize("kind", WRAPPED)
def test_the_network_is_found_in_what_a_trainer_wrote(tmp_path, kind, form):
    model = own()
    path = tmp_path / "a.pth"
    torch.save(WRAPPED[kind](theirs(model)), path, _use_new_zipfile_serialization=form == "zip")
    assert_same_outputs(path, model)


@pytest.mark.parametrize("library", NETWORKS)
@pytest.mark.parametrize("kind", ["AveragedModel", "Lightning's encoder", "thop", "a module"])
def test_whatever_the_library(tmp_path, kind, library):
    model = own(library)
    torch.save(WRAPPED[kind](theirs(model, library)), tmp_path / "a.pth")
    assert_same_outputs(tmp_path / "a.pth", model)


@pytest.mark.parametrize("peer", ["torchvision", "timm"])
def test_the_peers_own_modules(peers, trained, tmp_path, peer):
    network = trained(peers[peer]("resnet18", num_classes=7))
    with torch.no_grad():
        expected = network(IMAGES)
    for number, kind in enumerate(("AveragedModel", "Lightning's model", "a module among others")):
        path = tmp_path / f"{number}.pth"
        torch.save(WRAPPED[kind](network), path)
        with torch.no_grad():
            assert torch.allclose(load_model(path)(IMAGES), expected, atol=1e-4)


def notes(path):
    return read_foreign(path).data["notes"]


def test_averages_are_taken_before_what_they_are_of_and_it_is_said(tmp_path):
    """As timm's ``load_checkpoint`` does, and with it ``create_model(checkpoint_path=...)``."""
    plain, average = own(seed=1), own(seed=2)
    content = {"state_dict": theirs(plain).state_dict(), "state_dict_ema": theirs(average).state_dict()}
    torch.save(content, tmp_path / "a.pth")
    assert_same_outputs(tmp_path / "a.pth", average)
    assert "its averaged weights are taken (state_dict_ema), as timm does" in notes(tmp_path / "a.pth")
    shadow = {"decay": 0.99, "shadow": theirs(average).state_dict()}  # of no layout that is known
    torch.save({"ema": shadow, "model": theirs(plain).state_dict()}, tmp_path / "b.pth")
    assert_same_outputs(tmp_path / "b.pth", plain)
    assert not any("averaged" in note for note in notes(tmp_path / "b.pth"))


def test_what_is_left_out_and_skipped_is_said(tmp_path):
    torch.save(lightning(Lit("net", theirs(own()))), tmp_path / "a.pth")
    said = notes(tmp_path / "a.pth")
    assert "left out: seen, criterion.weight" in said
    assert "skipped, for it is no tensor: argparse.Namespace" in said
    torch.save(theirs(own()), tmp_path / "b.pth")
    assert "tensors of a pickled torch.nn.modules.module.Module, whose code was not run" in notes(
        tmp_path / "b.pth"
    )
    torch.save(theirs(own()).state_dict(), tmp_path / "c.pth")
    assert not any("left out" in note or "skipped" in note for note in notes(tmp_path / "c.pth"))


# Without a classifier


def headless(library="chenyaofo"):
    model = own(library)
    state = theirs(model, library).state_dict()
    heads = {"chenyaofo": "fc.", "torchvision": "fc.", "kuangliu": "linear.", "timm": "head."}
    return model, {name: one for name, one in state.items() if not name.startswith(heads[library])}


@pytest.mark.parametrize("library", NETWORKS)
def test_a_file_without_a_classifier_gives_features(tmp_path, library):
    model, state = headless(library)
    torch.save(state, tmp_path / "a.pth")
    weights = read_foreign(tmp_path / "a.pth")
    assert weights.spec.num_classes == 0
    assert "it has no classifier: the network gives features" in weights.data["notes"]
    model.reset_classifier(0)
    assert_same_outputs(tmp_path / "a.pth", model)


def test_another_classifier_beside_the_backbone_is_left_out(tmp_path):
    _, state = headless()
    state = {f"backbone.{name}": one for name, one in state.items()}
    torch.save(
        {**state, "classifier.weight": torch.ones(3, 64), "classifier.bias": torch.ones(3)}, tmp_path / "a"
    )
    weights = read_foreign(tmp_path / "a")
    assert weights.spec.num_classes == 0
    assert "left out: classifier.weight, classifier.bias" in weights.data["notes"]


def test_a_network_keeps_its_fresh_classifier_and_it_is_said(tmp_path, caplog):
    model, state = headless()
    torch.save(state, tmp_path / "a.pth")
    with caplog.at_level(logging.WARNING, "residua"):
        started = create_model(NETWORKS["chenyaofo"], num_classes=3, pretrained=tmp_path / "a.pth")
    assert "fresh: head.fc.bias (the weights have no classifier)" in caplog.text
    assert torch.equal(started.state_dict()["stem.conv.weight"], model.state_dict()["stem.conv.weight"])
    assert started.eval()(IMAGES).shape == (2, 3)
    features = create_model(NETWORKS["chenyaofo"], num_classes=0)
    torch.save(theirs(model).state_dict(), tmp_path / "whole.pth")
    told = load_into(features, tmp_path / "whole.pth")
    assert told.changed == ("head.fc.weight left out", "head.fc.bias left out")
    assert told.fresh == ()


def test_a_classifier_in_part_is_still_a_fault(tmp_path):
    state = theirs(own()).state_dict()
    del state["fc.weight"]
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(ResiduaError, match=r"has no fc\.weight"):
        load_model(tmp_path / "a.pth")


# Not wrapped, and no file that residua reads


def test_names_of_a_hostile_file_stay_on_one_line(tmp_path):
    torch.save({"a\n\x1b[2Jb": torch.zeros(2)}, tmp_path / "a.pth")
    with pytest.raises(ResiduaError) as caught:
        load_model(tmp_path / "a.pth")
    assert str(caught.value).isprintable()


def test_what_tensors_tell_is_not_to_be_told_of_wrapped_ones_either(tmp_path):
    torch.save({"model": theirs(own()).state_dict()}, tmp_path / "a.pth")
    with pytest.raises(UsageError, match="cannot be told"):
        load_weights(tmp_path / "a.pth", stride_on="1x1")


# Tied storage


def test_tied_tensors_are_read_and_no_longer_tied(tmp_path):
    model = own()
    module = theirs(model)
    twice = module.get_submodule("layer2.1")
    twice.bn1.weight = twice.bn2.weight
    torch.save(module.state_dict(), tmp_path / "a.pth")
    tensors = read_foreign(tmp_path / "a.pth").tensors
    one, other = (tensors[f"stages.1.1.branch.norm{k}.weight"] for k in (1, 2))
    assert torch.equal(one, other)
    assert one.data_ptr() != other.data_ptr()


def test_safetensors_that_overlap_are_refused(tmp_path):
    save_file(theirs(own()).state_dict(), tmp_path / "a.safetensors")
    content = (tmp_path / "a.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["bn1.weight"]["data_offsets"] = header["bn1.bias"]["data_offsets"]
    raw = json.dumps(header).encode()
    (tmp_path / "a.safetensors").write_bytes(len(raw).to_bytes(8, "little") + raw + content[8 + length :])
    with pytest.raises(ResiduaError) as caught:
        load_model(tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)
