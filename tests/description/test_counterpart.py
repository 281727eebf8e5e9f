import pytest

from residua.analysis.cost import totals
from residua.description import describe
from residua.description.counterpart import deviations, paper_name, twin
from residua.registry import model_spec


@pytest.mark.parametrize(
    ("name", "changes", "paper"),
    [
        ("resnet18", {}, "ResNet-18"),
        ("resnet50", {}, "ResNet-50"),
        ("resnet50_v1", {"num_classes": 3, "in_channels": 1}, "ResNet-50"),
        ("preact_resnet152", {}, "ResNet-152"),
        ("plain34", {}, "plain-34"),
        ("cifar_plain56", {}, "plain-56"),
        ("cifar_resnet110", {"shortcut": "C"}, "ResNet-110"),
        ("cifar_resnet50", {}, "ResNet-50"),
        ("resnet18", {"stem": "cifar"}, None),
        ("resnet18", {"depths": [2, 2, 2, 3]}, None),
        ("resnet34", {"widths": [64, 128, 256, 500]}, None),
        ("resnet50", {"expansion": 2}, None),
        ("resnet50", {"merge": "branch_only"}, None),
    ],
)
def test_which_network_of_the_papers_it_is(name, changes, paper):
    found = twin(model_spec(name, **changes))
    assert (paper_name(found) if found else None) == paper


PRINTED = {  # printed, exact count of the paper's network, how one comes from the other
    "resnet18": (1.8, 1_794_805_760, "rounded"),
    "resnet34": (3.6, 3_644_493_824, "rounded"),
    "plain34": (3.6, 3_644_493_824, "rounded"),
    "resnet50": (3.8, 3_857_973_248, "cut, not rounded"),
    "resnet101": (7.6, 7_570_194_432, "rounded"),
    "resnet152_v1": (11.3, 11_282_415_616, "rounded"),
}


@pytest.mark.parametrize(("name", "expected"), PRINTED.items())
def test_the_printed_figure_and_how_it_comes_from_the_exact_one(name, expected):
    flops = describe(name).flops
    assert flops is not None
    assert (flops.printed, flops.exact) == expected[:2]
    assert flops.rounding == f"{flops.exact / 1e9:.3f} {expected[2]}"
    assert flops.status == "verified"


@pytest.mark.parametrize(
    ("name", "changes", "shape", "reasons"),
    [
        ("resnet50_v1", {}, None, []),
        ("resnet50", {}, None, ["stride 2 on the 3x3"]),
        ("resnet34", {}, None, ["shortcuts of option B instead of A"]),
        ("resnet34", {"shortcut": "A"}, None, []),
        ("resnet34", {"shortcut": "A-split"}, None, []),
        ("resnet50", {"shortcut": "C"}, None, ["stride 2 on the 3x3", "option C instead of B"]),
        ("resnet50_v1", {"num_classes": 10, "in_channels": 1}, None, ["1 input channels", "10 classes"]),
        ("resnet50_v1", {}, (3, 256, 256), ["the input is 3x256x256"]),
    ],
)
def test_every_difference_has_its_reason_and_they_sum_up(name, changes, shape, reasons):
    described = describe(model_spec(name, **changes), shape)
    flops = described.flops
    assert flops is not None
    assert [reason in step.reason for reason, step in zip(reasons, flops.steps, strict=True)] == [True] * len(
        reasons
    )
    assert flops.exact + sum(step.multiply_adds for step in flops.steps) == described.multiply_adds


def test_v15_costs_what_its_first_1x1_costs_more():
    v1, v15 = (totals(model_spec(name), (3, 224, 224))[1] for name in ("resnet50_v1", "resnet50"))
    flops = describe("resnet50").flops
    assert flops is not None
    assert flops.steps[0].multiply_adds == v15 - v1 == 231_211_008


@pytest.mark.parametrize("name", ["cifar_resnet20", "preact_resnet50", "plain18", "cifar_resnet50"])
def test_where_the_paper_prints_no_figure_none_is_shown(name):
    assert describe(name).flops is None


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("resnet50_v1", {}, []),
        ("cifar_resnet56", {}, []),
        ("plain34", {}, []),
        ("resnet50", {}, ["v1.5"]),
        ("resnet18", {}, ["option B: projections where the shape changes; Table 2 has option A"]),
        ("resnet34", {"shortcut": "A"}, []),
        ("cifar_resnet56", {"shortcut": "B"}, ["the paper uses option A in all CIFAR nets"]),
        ("cifar_resnet56", {"shortcut": "A-split"}, ["zeros on both sides"]),
        ("resnet50_v1", {"shortcut": "C"}, ["the paper's bottleneck nets have option B"]),
        ("resnet50_v1", {"zero_init": True}, ["every branch starts at zero"]),
        (
            "resnet50_v1",
            {"drop_path": 0.2},
            ["stochastic depth (Huang et al. 2016), linear up to a drop rate of 0.2"],
        ),
        (
            "cifar_preact_resnet20",
            {},
            [
                "full pre-activation units (He et al. 2016",
                "the first shortcut starts after",
                "subsamples the sum itself",
            ],
        ),
        ("cifar_resnet110_relu_only_preact", {}, ["a ReLU before each convolution"]),
        ("cifar_resnet110_bn_after_addition", {"dropout": 0.3}, ["after the sum", "dropout of 0.3"]),
        ("cifar_resnet110_dropout_shortcut", {}, ["option A with a dropout of half of the values"]),
        ("cifar_resnet110_constant_scaling", {}, ["scaled by constants"]),
        (
            "resnext50_32x4d",
            {"stride_on": "1x1"},
            ["bottleneck units of 32 x 4 channels", "the 3x3 of a bottleneck is 32 parallel paths"],
        ),
        ("cifar_resnet164", {"stride_on": "1x1"}, ["bottlenecks on CIFAR are from He et al. 2016"]),
        (
            "resnet50",
            {"merge": "branch_only"},
            ["no network of He et al. 2015", "v1.5", "plain nets of basic units only"],
        ),
    ],
)
def test_what_deviates_from_the_paper(name, changes, said):
    spec = model_spec(name, **changes)
    found = deviations(spec, twin(spec))
    assert len(found) == len(said), found
    assert all(text in line for text, line in zip(said, found, strict=True)), found


def test_changes_against_the_registered_network_of_the_name():
    described = describe(model_spec("cifar_resnet164", unit="basic", num_classes=100))
    assert described.changes == (
        "num_classes = 100 (registered: 10)",
        "unit = basic (registered: bottleneck)",
        "depths = 27-27-27 (registered: 18-18-18)",
    )
    assert describe("cifar_resnet8").changes == ()
