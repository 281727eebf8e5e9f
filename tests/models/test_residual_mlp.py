"""Residual MLPs: the arithmetic of the authors' own package, counts, and what is refused."""

import pytest
import torch

from residua.errors import UsageError
from residua.models.residual_mlp import ResidualMLPSpec
from residua.nn import residual_units
from residua.registry import build, list_models, model_spec

# ours -> theirs, of rtdl_revisiting_models.ResNet
NAMES = {
    "stem.": "input_projection.",
    "stages.0.": "blocks.",
    ".branch.norm.": ".normalization.",
    ".branch.fc1.": ".linear1.",
    ".branch.fc2.": ".linear2.",
    "tail.norm.": "output.normalization.",
    "head.fc.": "output.linear.",
}


def _theirs(name):
    for ours, theirs in NAMES.items():
        name = name.replace(ours, theirs)
    return name


@pytest.fixture
def pair():
    """Our network and the authors', with the same numbers, norms that do something included."""
    theirs_of = pytest.importorskip("rtdl_revisiting_models").ResNet
    spec = ResidualMLPSpec(
        in_channels=7, num_classes=3, layers=3, width=16, unit="feed_forward(1.5, 0.25, 0.125)"
    )
    torch.manual_seed(0)
    ours = build(spec)
    for name, value in ours.state_dict().items():
        if "norm" in name and value.is_floating_point():
            value.uniform_(0.5, 1.5)
    theirs = theirs_of(
        d_in=7, d_out=3, n_blocks=3, d_block=16, d_hidden_multiplier=1.5, dropout1=0.25, dropout2=0.125
    )
    theirs.load_state_dict({_theirs(name): value for name, value in ours.state_dict().items()})
    return ours, theirs


def test_outputs_are_those_of_the_authors_package(pair):
    ours, theirs = (network.eval() for network in pair)
    x = torch.randn(5, 7)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=0)


def test_so_are_gradients_statistics_and_dropout_while_training(pair):
    x, gradients, statistics = torch.randn(8, 7), [], []
    for network in pair:
        network.train()
        torch.manual_seed(1)  # both drop the same values
        network(x).square().sum().backward()
        gradients.append({name: p.grad for name, p in network.named_parameters()})
        statistics.append(dict(network.named_buffers()))
    for ours, theirs in (gradients, statistics):
        for name, value in ours.items():
            torch.testing.assert_close(value, theirs[_theirs(name)], rtol=0, atol=0)


def test_exact_parameters_and_depth():
    spec = model_spec("residual_mlp")
    width, hidden, columns, classes = 192, 384, 64, 10
    block = 2 * width + width * hidden + hidden + hidden * width + width
    expected = columns * width + width + 2 * block + 2 * width + width * classes + classes
    assert sum(p.numel() for p in build(spec).parameters()) == expected == 311_626
    assert spec.depth == 6
    assert len(residual_units(build(spec))) == 2


def test_a_plain_one_is_the_same_network_without_shortcuts():
    plain, residual = (build(model_spec(name)) for name in ("plain_mlp", "residual_mlp"))
    assert [p.shape for p in plain.parameters()] == [p.shape for p in residual.parameters()]
    assert {type(unit.merge).__name__ for unit in residual_units(plain).values()} == {"BranchOnly"}
    assert "residual_mlp_tiny" in list_models("residual_mlp*")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unit": "basic"}, "unit 'basic' is no unit 'feed_forward'"),
        ({"merge": "concat"}, "merge 'concat' is of maps"),
        ({"unit": "feed_forward(0.001)"}, "expansion 0.001 leaves a width of 192 no hidden values"),
        ({"merge": "branch_only", "drop_path": 0.1}, "a plain network has no shortcut to fall back on"),
        ({"layers": 0}, "layers must be above 0"),
    ],
)
def test_what_does_not_suit_is_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        model_spec("residual_mlp", **changes)


def test_its_unit_is_refused_by_networks_of_maps():
    for unit in ("feed_forward", "squeezed(feed_forward)"):
        with pytest.raises(UsageError, match="a feed_forward unit is of rows of a table"):
            model_spec("resnet18", unit=unit)


def test_other_inputs_are_refused_by_name():
    with pytest.raises(UsageError, match=r"takes rows of 64 columns \(N, 64\), got \(2, 63\)"):
        build(model_spec("residual_mlp_tiny"))(torch.zeros(2, 63))
