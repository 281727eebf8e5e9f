import copy

import pytest
import torch
from torch import nn

from residua.analysis.cost import Cost, cost, totals
from residua.errors import ResiduaError, UsageError
from residua.nn import BasicBlock, Bottleneck, SelfAttention
from residua.published import published
from residua.registry import build, list_models, model_spec

MULTIPLY_ADDS = {
    "resnet18": 1_814_073_344,
    "resnet34": 3_663_761_408,
    "resnet50_v1": 3_857_973_248,
    "resnet101_v1": 7_570_194_432,
    "resnet152_v1": 11_282_415_616,
    "resnet50": 4_089_184_256,
    "resnet101": 7_801_405_440,
    "resnet152": 11_513_626_624,
}
PARAMETERS_1202 = {"A": 19_421_274, "B": 19_424_026, "C": 20_538_714}


@pytest.mark.parametrize(("name", "multiply_adds"), MULTIPLY_ADDS.items())
def test_multiply_adds_of_the_imagenet_networks(name, multiply_adds):
    assert cost(model_spec(name)).multiply_adds == multiply_adds


# one of every kind whose units repeat: ResNets, plain, pre-activated, gated, grouped, wide; the other families
COUNTED = (
    *("resnet34", "resnet50", "preact_resnet50", "cifar_plain110", "cifar_resnet110_shortcut_only_gating"),
    *("resnext50_32x4d", "wrn_28_10", "resnest50", "r3d_34", "vit_s_16", "transformer_encoder_base"),
    *("transformer_postnorm_base", "densenet_40_12", "segmenter_tiny"),
)


@pytest.mark.parametrize("name", COUNTED)
def test_totals_are_those_of_the_whole_network(name):
    spec = model_spec(name)
    counted = cost(spec, spec.usual_input)
    assert totals(spec, spec.usual_input) == (counted.parameters, counted.multiply_adds)


@pytest.mark.parametrize(("option", "parameters"), PARAMETERS_1202.items())
def test_totals_of_the_deepest_network(option, parameters):
    spec = model_spec("cifar_resnet1202", shortcut=option)
    assert totals(spec, spec.usual_input)[0] == parameters


def test_a_norm_of_other_channels_is_refused_though_norms_are_not_computed():
    with pytest.raises(ResiduaError, match="does not run on an input of 3x8x8"):
        cost(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(5)), (3, 8, 8))


def test_identity_shortcuts_cost_nothing():
    """He et al. 2015, sec. 3.2: plain and residual nets (option A) have equal parameters, depth and cost."""
    a, plain = cost(model_spec("cifar_resnet20"), (3, 32, 32)), cost(model_spec("cifar_plain20"), (3, 32, 32))
    assert (a.parameters, a.multiply_adds) == (plain.parameters, plain.multiply_adds)
    assert (a.projections.parameters, a.projections.multiply_adds) == (0, 0)


def test_a_bottleneck_at_256_d_is_far_cheaper_than_two_3x3():
    bottleneck = cost(Bottleneck(256, 64), (256, 14, 14))
    basic = cost(BasicBlock(256, 256), (256, 14, 14))
    weights = [sum(x.parameters for x in c.layers if x.kind == "Conv2d") for c in (bottleneck, basic)]
    assert weights == [69_632, 1_179_648]
    assert (bottleneck.multiply_adds, basic.multiply_adds) == (69_632 * 14 * 14, 1_179_648 * 14 * 14)


def test_parts_and_layers_sum_up_to_the_whole():
    counted = cost(model_spec("preact_resnet18"))
    assert [part.part for part in counted.parts] == [
        "stem",
        "stage1",
        "stage2",
        "stage3",
        "stage4",
        "tail",
        "head",
    ]
    for items in (counted.parts, counted.layers):
        assert sum(item.parameters for item in items) == counted.parameters
        assert sum(item.multiply_adds for item in items) == counted.multiply_adds


def test_projections_are_told_apart():
    counted = cost(model_spec("resnet34"))
    projections = [x for x in counted.layers if x.projection and x.kind == "Conv2d"]
    assert [x.name for x in projections] == [f"stages.{i}.0.shortcut.conv" for i in (1, 2, 3)]
    # 1x1 convolutions and the two numbers a channel of their norms
    assert counted.projections.parameters == 64 * 128 + 128 * 256 + 256 * 512 + 2 * (128 + 256 + 512)
    assert counted.projections.multiply_adds == 3 * 64 * 128 * 28 * 28
    assert (
        counted.multiply_adds - counted.projections.multiply_adds == cost(model_spec("plain34")).multiply_adds
    )


@pytest.mark.parametrize(
    ("module", "shape", "expected"),
    [
        (nn.Conv1d(4, 6, 3, padding=1), (4, 10), 6 * 10 * 4 * 3),
        (nn.Conv2d(4, 6, (1, 3), stride=2, groups=2), (4, 9, 9), 6 * 5 * 4 * 2 * 3),
        (nn.Conv3d(2, 3, 3), (2, 5, 5, 5), 3 * 27 * 2 * 27),
        (nn.ConvTranspose2d(4, 6, 2, stride=2), (4, 5, 5), 4 * 25 * 6 * 4),
        (nn.Linear(5, 7), (3, 5), 3 * 5 * 7),
        (nn.BatchNorm2d(4), (4, 5, 5), 0),
    ],
)
def test_every_kind_of_layer_by_hand(module, shape, expected):
    counted = cost(module, shape)
    assert counted.multiply_adds == expected
    assert counted.parameters == sum(p.numel() for p in module.parameters())


def test_attention_is_its_layers_and_two_products():
    length, width = 17, 64
    counted = cost(SelfAttention(width, 4), (length, width))
    assert counted.multiply_adds == 4 * length * width**2 + 2 * length**2 * width
    assert counted.parameters == 4 * (width**2 + width)


def test_a_sixth_of_a_narrow_transformer_are_attentions_products():
    counted = cost(model_spec("vit_ti_16"))
    products = sum(layer.multiply_adds for layer in counted.layers if layer.kind == "SelfAttention")
    assert products == 12 * 2 * 197**2 * 192
    assert products / (counted.multiply_adds - products) == pytest.approx(0.166, abs=5e-4)


KNOWN = frozenset(list_models())
COUNTED_BY_TORCHVISION = {row.model: row for row in published().counts if row.gflops and row.model in KNOWN}


@pytest.mark.parametrize("name", COUNTED_BY_TORCHVISION)
def test_what_is_counted_is_what_torchvision_publishes(name):
    spec, row = model_spec(name), COUNTED_BY_TORCHVISION[name]
    parameters, multiply_adds = totals(spec, spec.usual_input)
    assert (parameters, round(multiply_adds / 1e9, 3)) == (row.parameters, row.gflops)


def test_a_shared_layer_has_its_parameters_once_and_its_work_twice():
    layer = nn.Linear(4, 4)
    counted = cost(nn.Sequential(layer, nn.ReLU(), layer), (4,))
    assert (counted.parameters, counted.multiply_adds) == (20, 32)


def test_a_layer_that_is_never_called_costs_no_work():
    class Spare(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.spare = nn.Linear(3, 3), nn.Linear(3, 100)
            self.scale = nn.Parameter(torch.ones(5))

        def forward(self, x):
            return self.used(x)

    counted = cost(Spare(), (3,))
    assert (counted.parameters, counted.multiply_adds) == (12 + 400 + 5, 9)
    assert [part.part for part in counted.parts] == ["model", "used", "spare"]


def test_the_model_stays_untouched():
    model = build(model_spec("cifar_resnet8", drop_path=0.5, drop_path_mode="batch")).train()
    fired = []
    model.register_forward_hook(lambda *_: fired.append(1))
    before = copy.deepcopy(model.state_dict())
    random = torch.get_rng_state()
    cost(model, (3, 32, 32))
    assert model.training
    assert not fired
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert all(p.device.type == "cpu" for p in model.parameters())


def test_half_precision_models_are_counted():
    assert cost(nn.Conv2d(3, 4, 3).bfloat16(), (3, 8, 8)).multiply_adds == 4 * 36 * 27


def test_plain_values():
    counted = cost(nn.Linear(2, 3), (2,))
    assert isinstance(counted, Cost)
    assert counted.to_dict()["layers"][0] == {
        "name": "",
        "kind": "Linear",
        "part": "model",
        "output": (3,),
        "parameters": 9,
        "multiply_adds": 6,
        "projection": False,
    }


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        ((), UsageError, "an input shape is a list of whole numbers above 0"),
        ((3, 0, 32), UsageError, "above 0, not [3, 0, 32]"),
        ((3, 32.0, 32), UsageError, "an input shape"),
        ((1, 32, 32), UsageError, "takes 3 channels, got 1"),
        ((3, 2, 2), UsageError, "needs at least 4 px"),
    ],
)
def test_inputs_that_do_not_fit(shape, error, message):
    with pytest.raises(error) as caught:
        cost(model_spec("cifar_resnet8"), shape)
    assert message in str(caught.value)


def test_any_other_failure_is_one_line():
    with pytest.raises(ResiduaError, match="Linear does not run on an input of 3") as caught:
        cost(nn.Linear(2, 3), (3,))
    assert "\n" not in str(caught.value)
