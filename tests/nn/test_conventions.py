"""What timm's and torchvision's users ask of a network; the conformance suite asks it of every family."""

import re

import pytest
import torch
from torch import nn

from residua import create_model
from residua.errors import UsageError
from residua.nn.recording import recorded


def tiny(name="cifar_resnet8", **changes):
    torch.manual_seed(0)
    return create_model(name, **changes).eval()


def test_another_pooling_is_refused_where_there_is_only_one():
    model = tiny()
    model.reset_classifier(4, "avg")
    with pytest.raises(UsageError, match="cifar_resnet8 pools by 'avg', not by 'max'"):
        model.reset_classifier(5, "max")
    assert model.num_classes == model.spec.num_classes == 4


def test_a_vision_transformer_can_pool_its_patches():
    model, x = tiny("vit_digits"), torch.randn(2, 1, 8, 8)
    tokens = model.forward_features(x)
    assert torch.equal(model.forward_head(tokens, pre_logits=True), tokens[:, 0])
    model.reset_classifier(3, "avg")
    assert model.global_pool == model.spec.pool == "avg"
    assert torch.equal(model.forward_head(tokens, pre_logits=True), tokens[:, 1:].mean(1))
    again = create_model(model.spec).eval()
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(x), model(x))
    with pytest.raises(UsageError, match="vit_digits pools by 'avg', not by 'map'"):
        model.reset_classifier(3, "map")


def test_a_fresh_classifier_has_the_old_ones_device_dtype_and_mode():
    model = tiny().double()
    model.reset_classifier(3)
    assert model.get_classifier().weight.dtype == torch.double
    assert not model.get_classifier().training


@pytest.mark.parametrize(
    ("indices", "taken"), [(None, [0, 1, 2]), (1, [2]), (2, [1, 2]), ([0, -1], [0, 2]), ((-2,), [1])]
)
def test_levels_are_counted_as_timm_does(indices, taken):
    model, x = tiny(), torch.randn(2, 3, 32, 32)
    every = model.forward_intermediates(x, intermediates_only=True)
    some = model.forward_intermediates(x, indices, intermediates_only=True, stop_early=True)
    assert len(some) == len(taken)
    assert all(torch.equal(a, every[place]) for a, place in zip(some, taken, strict=True))
    backbone = create_model("cifar_resnet8", features_only=True, out_indices=indices)
    assert backbone.feature_info.out_indices == tuple(taken)
    assert backbone.feature_info.channels() == [[16, 32, 64][place] for place in taken]
    assert backbone.feature_info.reduction() == [[1, 2, 4][place] for place in taken]
    assert len(backbone.stages) == max(taken) + 1, "what stands above is left out"


@pytest.mark.parametrize("indices", [0, 4, [], [3], [-4], "0", 1.5, [0.5], [True]])
def test_levels_that_are_none_are_refused(indices):
    with pytest.raises(UsageError, match="there are 3 levels, 0 to 2 or -3 to -1, not"):
        tiny().forward_intermediates(torch.randn(1, 3, 32, 32), indices)
    with pytest.raises(UsageError, match="there are 3 levels"):
        create_model("cifar_resnet8", features_only=True, out_indices=indices)


def test_stopping_early_computes_nothing_above():
    model, called = tiny(), []
    model.stages[2].register_forward_hook(lambda *_: called.append(2))
    x = torch.randn(1, 3, 32, 32)
    last, maps = model.forward_intermediates(x, [1], stop_early=True)
    assert not called
    assert torch.equal(last, maps[0])
    model.forward_intermediates(x, [1])
    assert called


def test_intermediates_pass_the_tail_where_it_fits():
    x = torch.randn(2, 3, 32, 32)
    model = tiny("cifar_preact_resnet8")
    features, (*_, raw) = model.forward_intermediates(x)
    _, (*_, normed) = model.forward_intermediates(x, norm=True)
    assert torch.equal(model.tail(raw), normed)
    assert torch.equal(normed, features)
    model, x = tiny("vit_digits"), torch.randn(2, 1, 8, 8)
    raw = model.forward_intermediates(x, intermediates_only=True)
    normed = model.forward_intermediates(x, norm=True, intermediates_only=True)
    assert [m.shape for m in raw] == [(2, 64, 4, 4)] * 6
    for before, after in zip(raw, normed, strict=True):
        tokens = before.flatten(2).transpose(1, 2)
        assert torch.allclose(model.tail(tokens).transpose(1, 2).reshape(after.shape), after, atol=1e-6)


def test_another_format_and_stray_indices_are_refused():
    with pytest.raises(UsageError, match="output_fmt must be 'NCHW', not 'NLC'"):
        tiny().forward_intermediates(torch.randn(1, 3, 32, 32), output_fmt="NLC")
    with pytest.raises(UsageError, match=r"out_indices .* needs features_only=True"):
        create_model("cifar_resnet8", out_indices=(1, 2))


def test_what_feature_info_answers():
    info = create_model("cifar_resnet8", features_only=True, out_indices=(1, 2)).feature_info
    assert info.module_name() == ["stages.1", "stages.2"]
    assert (info.channels(0), info.reduction([0, 2])) == (16, [1, 4])
    assert info.get_dicts(["num_chs", "reduction"]) == [
        {"num_chs": 32, "reduction": 2},
        {"num_chs": 64, "reduction": 4},
    ]


@pytest.mark.parametrize(
    ("name", "groups"),
    [("cifar_resnet8", 4), ("densenet_tiny", 1 + 3 * 3 + 2), ("vit_digits", 7), ("vgg_tiny", 4)],
)
def test_each_unit_is_a_group_of_its_own(name, groups):
    model = tiny(name)
    matcher = model.group_matcher()
    found = set()
    for parameter, _ in model.named_parameters():
        for group, patterns in (
            ("stem", [matcher["stem"]]),
            ("blocks", [p for p, _ in matcher["blocks"][:2]]),
        ):
            match = next((m for p in patterns if (m := re.match(p, parameter))), None)
            if match:
                found.add((group, match.groups()))
                break
    assert len(found) == groups


def test_positions_and_the_class_token_are_not_decayed():
    assert tiny("vit_digits").no_weight_decay() == {"stem.token", "stem.positions"}
    assert tiny("transformer_tiny").no_weight_decay() == {"stem.positions"}
    assert tiny().no_weight_decay() == set()


def test_pretrained_cfg_tells_how_the_images_of_the_weights_were_normalised(tmp_path):
    from residua.loading import load_model
    from residua.weights.model_files import save_model

    fresh = tiny()
    assert fresh.pretrained_cfg == fresh.default_cfg
    assert fresh.pretrained_cfg["mean"] == (0.485, 0.456, 0.406)
    assert tiny(in_channels=1).pretrained_cfg["std"] == (0.5,)
    save_model(tmp_path / "w.safetensors", fresh, {"mean": [0.1, 0.2, 0.3], "std": [1.0, 2.0, 3.0]})
    for model in (load_model(tmp_path / "w.safetensors"), tiny(pretrained=tmp_path / "w.safetensors")):
        assert model.pretrained_cfg["mean"] == (0.1, 0.2, 0.3)
        assert model.pretrained_cfg["std"] == (1.0, 2.0, 3.0)
    grey = tiny(pretrained=tmp_path / "w.safetensors", in_channels=1)
    assert grey.pretrained_cfg["mean"] == (0.5,), "three means are of no use to one channel"


@pytest.mark.parametrize("classes", ["3", None, 2.5, True, -1, 2**62])
def test_classes_are_a_whole_number(classes):
    model = tiny()
    with pytest.raises(UsageError, match="num_classes"):
        model.reset_classifier(classes)
    assert model.get_classifier().out_features == model.num_classes == 10


@pytest.mark.parametrize("mean", [5, ["a", "b", "c"], {"a": 1, "b": 2, "c": 3}, [[0.1], [0.2], [0.3]]])
def test_pretrained_cfg_takes_no_nonsense_from_a_file(tmp_path, mean):
    from residua.loading import load_model
    from residua.weights.model_files import save_model

    save_model(tmp_path / "w.safetensors", tiny(), {"mean": mean})
    assert load_model(tmp_path / "w.safetensors").pretrained_cfg["mean"] == (0.485, 0.456, 0.406)


def test_checkpointing_stays_after_a_training_step_that_recomputes():
    from residua.nn.segments import recomputing

    model = tiny()
    model.set_grad_checkpointing()
    with recomputing(model):
        pass
    assert all(unit.recompute for unit in (stage[0] for stage in model.stages))
    model.set_grad_checkpointing(False)
    assert not any(unit.recompute for unit in (stage[0] for stage in model.stages))


def test_a_network_without_units_recomputes_its_stages():
    model = tiny("vgg_tiny").train()
    model.set_grad_checkpointing()
    assert [stage.recompute for stage in model.stages] == [True] * 3


def test_a_recorded_network_is_arithmetic_alone_and_the_original_still_refuses():
    model = tiny()
    graph = torch.fx.symbolic_trace(model)
    own = {
        node.target.__name__
        for node in graph.graph.nodes
        if node.op == "call_function" and node.target is not None
    }
    assert own <= {"add", "_subsample_and_pad"}
    assert not recorded(torch.zeros(1))
    with pytest.raises(UsageError, match="takes 3 channels, got 1"):
        model(torch.zeros(1, 1, 32, 32))


def test_recorded_samples_drop_by_the_draws_of_each_call():
    from residua.nn import DropPath, Residual

    unit = nn.Sequential(Residual(nn.Linear(3, 3), drop_path=DropPath(0.5))).train()
    graph, x = torch.fx.symbolic_trace(unit), torch.randn(6, 3)
    for seed in range(4):
        outputs = []
        for module in (unit, graph):
            torch.manual_seed(seed)
            outputs.append(module(x))
        assert torch.equal(*outputs)
