"""Checks of what other people's code does with a network: torch.fx, torch.export, pickle, timm's and torchvision's."""

from __future__ import annotations

import copy
import pickle
import re
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from residua.nn.features import features_only
from residua.nn.segments import recomputing
from residua.spec import ModelSpec
from residua.testing.example import assert_close, assert_equal
from residua.testing.example import example as images
from residua.testing.example import network as built

_BATCHES = (2, 3, 5)


def example(spec: ModelSpec, batch: int = 2) -> Tensor:
    """As few inputs as batch statistics allow: these checks are also for members that are not tiny."""
    return images(spec, batch)


def network(spec: ModelSpec) -> Any:
    """The network of a spec: a classifier, where its family declares that it is one."""
    return built(spec)


def _skipping(spec: ModelSpec) -> ModelSpec | None:
    """The spec with units that whole batches skip; None if it has no units, or none that could be dropped."""
    fields = spec.flat()
    if "drop_path.mode" not in fields or fields.get("merge") == "branch_only":
        return None
    return spec.change(drop_path={"rate": 0.5, "mode": "batch"})


@torch.no_grad()
def fx_agrees(spec: ModelSpec) -> None:
    """``torch.fx`` records the network, in both modes; the recorded one gives its outputs, bit for bit."""
    x = example(spec)
    for training in (True, False):
        model = network(_skipping(spec) or spec).train(training)
        recorded = torch.fx.symbolic_trace(copy.deepcopy(model))
        outputs = []
        for module in (model, recorded):
            torch.manual_seed(3)  # dropout and stochastic depth draw alike
            outputs.append(module(x))
        assert_equal(*reversed(outputs))


@torch.no_grad()
def export_agrees(spec: ModelSpec) -> None:
    """``torch.export`` takes the network whole, and the program gives its output for batches of any size."""
    model = network(spec)
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(model, (example(spec),), dynamic_shapes=({0: batch},)).module()
    for size in _BATCHES:
        x = example(spec, size)
        assert_close(program(x), model(x), 1e-4)


@torch.no_grad()
def trace_agrees(spec: ModelSpec) -> None:
    """``torch.jit.trace`` of one batch gives the network's output for batches of any size."""
    model = network(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that the function is deprecated; exporters still use it
        traced: Any = torch.jit.trace(model, example(spec), check_trace=False)
    for size in _BATCHES:
        x = example(spec, size)
        assert_close(traced(x), model(x), 1e-4)


@torch.no_grad()
def copies_agree(spec: ModelSpec) -> None:
    """A pickled and unpickled network, and a deep copy, give its output, bit for bit, from tensors of their own."""
    model, x = network(spec), example(spec)
    expected = model(x)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert_equal(other(x), expected)
        assert list(other.state_dict()) == list(model.state_dict()), "the copy has other names"
        shared = {p.data_ptr() for p in model.parameters()} & {p.data_ptr() for p in other.parameters()}
        assert not shared, "the copy shares parameters with its original"


@torch.no_grad()
def classifier_is_replaced(spec: ModelSpec) -> None:
    """``get_classifier`` finds the last layer, ``reset_classifier`` replaces it (0: by nothing); the spec follows."""
    model, x = network(spec), example(spec)
    name = model.get_classifier(name_only=True)
    last = model.get_classifier()
    assert last is model.get_submodule(name), f"{name} is not what get_classifier gives"
    assert last.out_features == spec.num_classes == model.num_classes, "the last layer has other classes"
    config = model.pretrained_cfg
    assert config["classifier"] == name, "pretrained_cfg names another classifier"
    first = model.get_submodule(config["first_conv"])
    assert first.in_channels == spec.in_channels, "pretrained_cfg names another first convolution"
    assert (*x.shape[1:],) == config["input_size"], "pretrained_cfg has another input"
    model.reset_classifier(spec.num_classes + 3, "avg")
    assert model(x).shape == (len(x), spec.num_classes + 3), "the classes did not change"
    assert model.spec.num_classes == spec.num_classes + 3, "the spec did not follow"
    assert model.get_classifier() is not last, "the last layer is the old one"
    model.reset_classifier(0)
    features = model.forward_head(model.forward_features(x), pre_logits=True)
    assert features.shape == (len(x), model.num_features), "num_features is not what the head gives"
    assert_equal(model(x), features)


@torch.no_grad()
def features_are_stated(spec: ModelSpec) -> None:
    """The backbone gives at each level maps of the channels and the reduction that ``feature_info`` states."""
    model, x = network(spec), example(spec)
    logits, last = model(x), model.forward_features(x)
    whole, between = model.forward_intermediates(x, norm=True)
    assert_equal(whole, last)
    backbone = features_only(copy.deepcopy(model))
    info = backbone.feature_info
    maps = backbone(x)
    assert_equal(maps, between)
    for level, channels, reduction in zip(maps, info.channels(), info.reduction(), strict=True):
        sides = tuple(-(-side // reduction) for side in x.shape[-2:])
        assert level.shape[:2] == (len(x), channels), f"channels: {tuple(level.shape)}, stated {channels}"
        assert level.shape[-2:] == sides, f"reduction: {tuple(level.shape)}, stated {reduction}"
    assert_equal(features_only(model, (-1,))(x), maps[-1:])
    if maps[-1].shape == last.shape:  # patches are no maps in forward_features
        assert_equal(maps[-1], last)
    names = {name for name, _ in model.named_parameters()}
    assert names >= {name for name, _ in backbone.named_parameters()}, "the backbone has names of its own"
    assert_equal(model(x), logits)


def checkpointing_changes_nothing(spec: ModelSpec) -> None:
    """Units are computed twice, and give the same loss, gradients and batch statistics, from the same draws.

    So they do in segments, as ``--memory low`` has it.
    """
    x, results, calls = example(spec), [], []
    for units, segments in ((False, False), (True, False), (False, True)):
        model = network(spec).train()
        model.set_grad_checkpointing(units)
        called: list[nn.Module] = []
        for layer in model.stages.modules():
            layer.register_forward_hook(lambda module, *_, called=called: called.append(module))
        torch.manual_seed(3)
        with recomputing(model, segments):
            loss = model(x).square().mean()
            loss.backward()
        calls.append(len(called))
        results.append((loss.detach(), [p.grad for p in model.parameters()], [*model.buffers()]))
    assert calls[1] > calls[0], "nothing was computed again"
    for again in results[1:]:
        assert_equal(results[0], again)


@torch.no_grad()
def stochastic_depth_is_one_graph(spec: ModelSpec) -> None:
    """A network whose whole batches skip units exports in training mode, and draws as the eager one does."""
    skipping = _skipping(spec)
    if skipping is None:
        return
    model = network(skipping).train()
    batch = torch.export.Dim("batch")
    x = example(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(copy.deepcopy(model), (x,), dynamic_shapes=({0: batch},)).module()
    for seed, size in enumerate(_BATCHES):  # other draws each time
        x = example(spec, size)
        torch.manual_seed(seed)
        expected = model(x)
        torch.manual_seed(seed)
        assert_close(exported(x), expected, 1e-2)  # another draw differs by far more; power iteration by 1e-3


def parameters_are_grouped(spec: ModelSpec) -> None:
    """``group_matcher`` sorts parameters into stem, units by depth, and head; ``no_weight_decay`` names parameters."""
    model = network(spec)
    names = [name for name, _ in model.named_parameters()]
    for coarse in (False, True):
        matcher = model.group_matcher(coarse)
        patterns = [matcher["stem"], *(pattern for pattern, _ in matcher["blocks"])]
        left = [name for name in names if not any(re.match(pattern, name) for pattern in patterns)]
        assert left and all(name.startswith("head.") for name in left), f"{left[:1]} belong to no group"
    unknown = model.no_weight_decay() - set(names)
    assert not unknown, f"no_weight_decay names {sorted(unknown)}, which are no parameters"
