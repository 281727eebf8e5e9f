"""Vision Transformers: the papers' counts, the peers' outputs, two residual units a layer."""

import re

import pytest
import torch

from residua.analysis.cost import cost
from residua.errors import UsageError
from residua.nn import Add, BranchOnly, residual_units
from residua.registry import build, list_models, model_spec

# torchvision's vit_b_16 ..., timm's deit_tiny_patch16_224 and deit_small_patch16_224
COUNTS = {
    "vit_ti_16": 5_717_416,
    "vit_s_16": 22_050_664,
    "vit_b_16": 86_567_656,
    "vit_b_32": 88_224_232,
    "vit_l_16": 304_326_632,
    "vit_l_32": 306_535_400,
}
TORCHVISION = {
    r"class_token": "stem.token",
    r"encoder\.pos_embedding": "stem.positions",
    r"conv_proj\.": "stem.patch.",
    r"encoder\.ln\.": "tail.",
    r"encoder\.layers\.encoder_layer_(\d+)\.": r"stages.0.\1.",
    r"\.ln_1\.": ".attention.branch.norm.",
    r"\.self_attention\.in_proj_": ".attention.branch.attention.qkv.",
    r"\.self_attention\.out_proj\.": ".attention.branch.attention.proj.",
    r"\.ln_2\.": ".mlp.branch.norm.",
    r"\.mlp\.0\.": ".mlp.branch.mlp.fc1.",
    r"\.mlp\.3\.": ".mlp.branch.mlp.fc2.",
    r"heads\.head\.": "head.fc.",
}
TIMM = {
    r"cls_token": "stem.token",
    r"pos_embed": "stem.positions",
    r"patch_embed\.proj\.": "stem.patch.",
    r"^norm\.": "tail.",
    r"^head\.": "head.fc.",
    r"blocks\.(\d+)\.": r"stages.0.\1.",
    r"\.norm1\.": ".attention.branch.norm.",
    r"\.attn\.(qkv|proj)\.": r".attention.branch.attention.\1.",
    r"\.norm2\.": ".mlp.branch.norm.",
    r"\.mlp\.fc(\d)\.": r".mlp.branch.mlp.fc\1.",
}


def tiny(**changes):
    torch.manual_seed(0)
    return build(model_spec("vit_digits", **changes))


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_the_published_ones(name):
    assert cost(model_spec(name), (3, 224, 224)).parameters == COUNTS[name]


@pytest.mark.parametrize("peer", ["torchvision", "timm"])
def test_logits_and_gradients_are_the_peers(peers, peer):
    torch.manual_seed(0)
    with torch.device("meta"):
        if peer == "torchvision":
            theirs = peers.import_torchvision().models.vit_b_16(image_size=32, num_classes=10)
        else:
            theirs = peers.import_timm().create_model("vit_tiny_patch16_224", img_size=32, num_classes=10)
    theirs.to_empty(device="cpu")
    renamed = {}
    for key, tensor in theirs.state_dict().items():
        for pattern, here in {"torchvision": TORCHVISION, "timm": TIMM}[peer].items():
            key = re.sub(pattern, here, key)
        renamed[key] = tensor
    for tensor in renamed.values():
        torch.nn.init.normal_(tensor, std=0.05)
    name = {"torchvision": "vit_b_16", "timm": "vit_ti_16"}[peer]
    with torch.device("meta"):
        ours = build(model_spec(name, image_size=32, num_classes=10)).eval()
    ours.load_state_dict(renamed, assign=True)
    outputs = []
    for network in (theirs.eval(), ours):
        x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
        logits = network(x)
        (gradient,) = torch.autograd.grad(logits.square().sum(), x)
        outputs.append((logits, gradient))
    for expected, got in zip(*outputs, strict=True):
        assert torch.allclose(got, expected, rtol=1e-4, atol=1e-5 * float(expected.detach().abs().max()))


def test_a_layer_is_two_units_and_positions_are_none():
    units = residual_units(tiny(layers=3))
    assert list(units) == [f"stages.0.{i}.{unit}" for i in range(3) for unit in ("attention", "mlp")]
    assert all(isinstance(unit.merge, Add) for unit in units.values())
    plain = residual_units(tiny(layers=3, merge="branch_only"))
    assert all(isinstance(unit.merge, BranchOnly) for unit in plain.values())


def test_norm_stands_before_the_branch_or_after_the_sum():
    unit = {norm: residual_units(tiny(norm=norm))["stages.0.0.mlp"].double() for norm in ("pre", "post")}
    x = torch.randn(2, 5, 64, dtype=torch.double)
    pre, post = unit["pre"].branch, unit["post"]
    assert torch.allclose(unit["pre"](x), x + pre.mlp(pre.norm(x)))
    assert torch.allclose(post(x), post.activation(x + post.branch.mlp(x)))
    assert isinstance(post.activation, torch.nn.LayerNorm)


def test_stochastic_depth_follows_the_rule_and_skips_whole_batches():
    rates = [u.drop_path.rate for u in residual_units(tiny(layers=2, drop_path=0.4)).values()]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4])
    model = tiny(layers=1, drop_path=0.999999, drop_path_rule="uniform", drop_path_mode="batch").train()
    model(torch.randn(2, 1, 8, 8)).sum().backward()
    assert all(p.grad is None for unit in residual_units(model).values() for p in unit.parameters())


def test_the_features_that_timm_users_know():
    model = tiny().eval()
    x = torch.randn(2, 1, 8, 8)
    features = model.forward_features(x)
    assert features.shape == (2, 17, 64)
    assert model.forward_head(features, pre_logits=True).shape == (2, model.num_features)
    assert torch.equal(model.forward_head(features), model(x))
    model.reset_classifier(3)
    assert model(x).shape == (2, 3)
    assert model.spec.num_classes == 3
    model.reset_classifier(0)
    assert model(x).shape == (2, 64)
    with pytest.raises(UsageError, match="cannot be negative"):
        model.reset_classifier(-1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch": 3}, "patches of 3 px do not divide images of 8 px"),
        ({"heads": 5}, "5 heads do not divide a width of 64"),
        ({"drop_path": 1.0}, r"drop_path.rate must be in \[0, 1\)"),
        ({"drop_path": 0.1, "merge": "branch_only"}, "no shortcut to fall back on"),
        ({"layers": 0}, "layers must be above 0"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        model_spec("vit_digits", **changes)


@pytest.mark.parametrize("shape", [(2, 1, 9, 9), (2, 3, 8, 8), (1, 8, 8)])
def test_other_images_are_refused_in_one_line(shape):
    with pytest.raises(UsageError, match=r"takes images of 1x8x8, got .*image_size"):
        tiny()(torch.zeros(shape))


def test_all_sizes_have_both_patches():
    assert {f"vit_{s}_{p}" for s in ("ti", "s", "b", "l") for p in (16, 32)} <= set(list_models("vit_*"))
