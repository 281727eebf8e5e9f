import json

import pytest
import torch
from torch import nn

from residua.analysis.cost import totals
from residua.description import describe
from residua.errors import UsageError
from residua.models.resnet import ResNetSpec
from residua.registry import build, families, list_models, model_spec

# the deeper ones repeat the same units and take long to walk through
SHALLOW = [name for name in list_models() if model_spec(name).depth <= 50]
NAMES = [name for name in SHALLOW if isinstance(model_spec(name), ResNetSpec)]
OTHERS = [name for name in SHALLOW if name not in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_every_network_is_described_within_100_columns(name):
    described = describe(name)
    spec = model_spec(name)
    assert described.depth == spec.depth
    assert len(described.structure.stages) == len(spec.depths)
    assert tuple(stage.units for stage in described.structure.stages) == spec.depths
    assert tuple(stage.output[0] for stage in described.structure.stages) == spec.out_widths
    text = str(described)
    assert max(map(len, text.splitlines())) <= 100
    assert name in text.splitlines()[0]
    assert not any(line != line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_family_is_summarised_within_100_columns(name):
    described = describe(name)
    text = str(described)
    assert text.startswith(
        f"{name}: {described.parameters:,} parameters, {described.multiply_adds:,} multiply-adds"
    )
    assert max(map(len, text.splitlines())) <= 100
    assert sum(part.parameters for part in described.cost.parts) == described.parameters
    values = json.loads(json.dumps(described.to_dict()))
    assert (values["name"], values["depth"]) == (name, model_spec(name).depth)


@pytest.mark.parametrize("name", [family.tiny for family in families().values()])
def test_a_member_of_every_family(name):
    holds(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", list_models())
def test_every_registered_network(name):
    holds(name)


def holds(name):
    """What is true of every page: its counts are the network's, and it is JSON too."""
    spec = model_spec(name)
    described = describe(name)
    values = json.loads(json.dumps(described.to_dict()))
    counts = (values["parameters"], values["multiply_adds"])
    assert counts == totals(spec, spec.usual_input)
    assert (values["name"], values["depth"], values["input"]) == (name, spec.depth, list(spec.usual_input))
    assert values["spec"] == spec.to_dict()
    lines = str(described).splitlines()
    assert lines[0].startswith(f"{name}: {counts[0]:,} parameters, {counts[1]:,} multiply-adds for ")
    assert max(map(len, lines)) <= 100
    assert not any(line != line.rstrip() for line in lines)
    assert not {"Sequential", "NoneType", "nan"} & set(str(described).replace(",", " ").split())


def test_units_are_called_what_they_are():
    """No unit, plain units, and shortcuts of several layers."""
    assert "\n\nResidual units: none\n" in str(describe("googlenet_tiny"))
    plain = str(describe("transformer_plain_tiny"))
    assert "multiply-adds for 128 tokens, depth" in plain.splitlines()[0]
    assert "\n\nPlain units: 4\n" in plain
    told = " ".join(str(describe("sngan_tiny")).split())
    assert "the shortcut is a 1x1 convolution and upsampling" in told
    assert "the shortcut is average pooling and a 1x1 convolution" in told


def test_units_of_a_dense_network_are_told_by_stage():
    described = describe("densenet_40_12")
    assert [(unit.first, unit.units, unit.merge) for unit in described.units] == [
        ("stages.0.0", 12, "Concat"),
        ("stages.1.0", 12, "Concat"),
        ("stages.2.0", 12, "Concat"),
    ]
    assert (described.units[0].input, described.units[0].output) == ((16, 32, 32), (160, 32, 32))


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("vit_b_16", "top1 acc 81.072"),
        ("densenet_bc_100_12", "DenseNet-BC (L=100, k=12)"),
        ("wrn_28_10", "WRN-28-10"),
        ("resnext50_32x4d", "25028904"),
        ("vgg16", "VGG-16"),
    ],
)
def test_published_rows_of_other_papers_stand_beside_them(name, figure):
    assert figure in " ".join(str(describe(name)).split())


def test_the_values_of_resnet50():
    values = json.loads(json.dumps(describe("resnet50").to_dict()))
    assert values["schema"] == 1
    assert values["name"] == "resnet50"
    assert (values["parameters"], values["multiply_adds"]) == (25_557_032, 4_089_184_256)
    assert (values["input"], values["depth"]) == ([3, 224, 224], 50)
    assert values["depth_counts"] == {
        "stem": 1,
        "units": 48,
        "head": 1,
        "norms": 53,
        "gates": 0,
        "projections": 4,
    }
    assert [stage["output"] for stage in values["stages"]] == [
        [256, 56, 56],
        [512, 28, 28],
        [1024, 14, 14],
        [2048, 7, 7],
    ]
    assert [stage["units"] for stage in values["stages"]] == [3, 4, 6, 3]
    assert values["stages"][1]["layers"] == ["1x1, 128", "3x3/2, 128", "1x1, 512"]
    kinds = [(s["kind"], s["units"], s["stride"]) for s in values["stages"][1]["shortcuts"]]
    assert kinds == [("projection", 1, 2), ("identity", 3, 1)]
    assert sum(p["parameters"] for p in values["stages"] + values["other_parts"]) == values["parameters"]
    assert (
        sum(p["multiply_adds"] for p in values["stages"] + values["other_parts"]) == values["multiply_adds"]
    )


def test_a_name_a_spec_a_table_and_a_network_are_described_alike():
    spec = model_spec("cifar_resnet8")
    expected = describe("cifar_resnet8").to_dict()
    for model in (spec, spec.to_dict(), build(spec)):
        assert describe(model).to_dict() == expected


def test_a_network_changed_by_hand_is_described_as_it_is():
    model = build(model_spec("cifar_resnet8"))
    model.reset_classifier(3)
    described = describe(model)
    assert described.parameters == sum(p.numel() for p in model.parameters())
    assert "num_classes = 3 (registered: 10)" in described.changes
    assert model.head.fc.weight.device.type == "cpu"


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        ("resnet5", None, "unknown model 'resnet5'; did you mean"),
        ("resnet18", (3, 8, 8), "needs at least 32 px"),
        ("resnet18", (4, 224, 224), "takes 3 channels, got 4"),
        ("resnet18", (3, 224), "must be (N, C, H, W), got 3 dimensions"),
        ("resnet18", (), "an input shape is a list of whole numbers above 0"),
        (
            nn.Linear(2, 2),
            None,
            "describe shows networks with a spec, not Linear; residua.analysis.cost counts any module",
        ),
        (3, None, "a model is a name, a spec or a table, not int"),
    ],
)
def test_what_cannot_be_described_gets_one_line(model, shape, message):
    with pytest.raises(UsageError) as caught:
        describe(model, shape)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_random_is_drawn():
    state = torch.get_rng_state()
    describe("cifar_resnet8")
    assert torch.equal(torch.get_rng_state(), state)


def test_a_unit_of_ones_own_and_custom_stages():
    described = describe(ResNetSpec(depths=(1, 2), widths=(8, 8), stem="cifar", shortcut="C"))
    assert described.flops is None
    assert described.published == ()
    assert described.changes == ()
    assert [s.kind for s in described.structure.shortcuts] == ["projection"] * 3
    assert (
        "no network of He et al. 2015 has these stages (1-2 basic units, widths 8-8, cifar stem)"
        in described.deviations
    )
