"""Every look on every merge: it works, with a number that is known, or says in a line why it cannot be asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from residua.analysis.lesioning import lesioned
from residua.analysis.path_gradients import gradient_by_length, path_lengths
from residua.analysis.unit_calls import unit_calls
from residua.errors import UsageError
from residua.looks import look
from residua.nn import (
    Add,
    BranchOnly,
    Chain,
    Concat,
    ConstantScaling,
    ExclusiveGating,
    Gate,
    Merge,
    Residual,
    ShortcutOnlyGating,
    residual_units,
)
from residua.nn.coupling import Coupled
from residua.nn.hyper import HyperConnection
from residua.nn.scale import ScaledBranch
from residua.nn.stream_weights import stream_weights
from residua.nn.streams import CopyStreams, JoinChannels, MeanStreams, SplitChannels

WIDTH, UNITS, STREAMS = 4, 3, 2


def _hyper(kind: str) -> Callable[[int], Merge]:
    return lambda unit: HyperConnection(STREAMS, **stream_weights(kind, STREAMS, WIDTH, first=unit))  # type: ignore[arg-type]  # of the literals


MERGES: dict[str, Callable[[int], Merge]] = {
    "add": lambda unit: Add(),
    "branch_only": lambda unit: BranchOnly(),
    "constant_scaling": lambda unit: ConstantScaling(0.5, 0.25),
    "exclusive_gating": lambda unit: ExclusiveGating(Gate(WIDTH, WIDTH, bias=-1.0)),
    "shortcut_only_gating": lambda unit: ShortcutOnlyGating(Gate(WIDTH, WIDTH, bias=-1.0)),
    "skip_init": lambda unit: ScaledBranch(start=0.5),
    "layer_scale": lambda unit: ScaledBranch(WIDTH, start=0.1),
    "static_hyper": _hyper("static"),
    "dynamic_hyper": _hyper("dynamic"),
    "constrained_hyper": _hyper("constrained"),
    "coupled": lambda unit: Coupled(unit % 2),
    "concat": lambda unit: Concat(WIDTH),
}
# x_(l+1) = x_l + what the branch adds, whatever is learned
SUMS = {"add", "skip_init", "layer_scale", "coupled"}


def _network(name: str) -> nn.Module:
    torch.manual_seed(0)
    widths = [WIDTH * (unit + 1) if name == "concat" else WIDTH for unit in range(UNITS)]
    units = []
    for unit, width in enumerate(widths):
        branch = nn.Sequential(nn.Conv2d(width, WIDTH, 3, padding=1), nn.Tanh())
        units.append(Residual(branch, merge=MERGES[name](unit)))
    enter: nn.Module = nn.Identity()
    leave: nn.Module = nn.Identity()
    if name == "coupled":
        enter, leave = SplitChannels(), JoinChannels()
    elif name.endswith("hyper"):
        enter, leave = CopyStreams(STREAMS), MeanStreams(STREAMS)
    first = 2 * WIDTH if name == "coupled" else WIDTH
    last = WIDTH * (UNITS + 1) if name == "concat" else first
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = nn.Sequential(nn.Conv2d(2, first, 1), enter, Chain(*units), leave, pool, nn.Linear(last, 3))
    with torch.no_grad():  # nothing stays where it started: streams, gates and gains all do something
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return network.double().eval()


@pytest.fixture(params=MERGES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def network(name: str) -> nn.Module:
    return _network(name)


@pytest.fixture
def shown() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(4, 2, 4, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 0])


def test_responses_are_those_of_the_branches(network: nn.Module, shown: tuple[Tensor, Tensor]) -> None:
    found = look("response", network, *shown)
    unit = residual_units(network)["2.0"]
    seen: list[Tensor] = []
    with torch.no_grad(), unit.branch.register_forward_pre_hook(lambda _, args: seen.append(args[0])):
        network(shown[0])
        expected = unit.branch[0](seen[0]).float().std(correction=0)
    assert found.values["layers"] == UNITS
    assert found.panels[0].curves[0].y[0] == pytest.approx(float(expected))


def test_a_unit_without_its_branch_gives_what_its_merge_says(
    network: nn.Module, name: str, shown: tuple[Tensor, Tensor]
) -> None:
    unit = residual_units(network)["2.0"]
    with torch.no_grad():
        start = network[:2](shown[0])
        expected = network[3:](network[2][1:](unit.merge.without_branch(start, start)))
        with lesioned(network, ["2.0"]):
            assert torch.equal(network(shown[0]), expected)
    found = look("lesion", network, *shown, draws=1)
    assert found.values["deletable"] == UNITS


def test_the_product_of_jacobians_is_the_gradient(network: nn.Module, shown: tuple[Tensor, Tensor]) -> None:
    found = look("jacobian", network, *shown)
    assert found.values["relative_error"] < 1e-12
    assert found.values["forward_error"] < 1e-12


def test_the_naive_product_is_exact_of_plain_sums_alone(name: str, shown: tuple[Tensor, Tensor]) -> None:
    naive = look("jacobian", _network(name), *shown).values["naive_error"]
    exact = name in SUMS | {"branch_only", "concat"}  # these two have no I + J: their own factor is taken
    assert (naive < 1e-12) == exact


def test_the_unrolled_sum_holds_of_plain_sums_alone(name: str, shown: tuple[Tensor, Tensor]) -> None:
    found = look("unroll", _network(name), *shown)
    if name == "concat":
        assert (
            found.sentence == "None of the 3 units keeps the shape: there is nothing that could be added up."
        )
        return
    assert (found.values["relative_error"] < 1e-12) == (name in SUMS)
    assert (found.values["spoilt"] == 0) == (name in SUMS)


def test_a_sum_is_what_the_merge_gives_without_the_branch_and_what_it_adds(
    name: str, shown: tuple[Tensor, Tensor]
) -> None:
    if name in ("branch_only", "concat"):
        pytest.skip("no sum")
    for call in unit_calls(_network(name), *shown):
        rest = call.unit.merge.without_branch(call.x, call.unit.shortcut(call.x))
        torch.testing.assert_close(call.y, rest + call.added(call.x), rtol=0, atol=1e-12)


def test_paths_are_counted_by_units_and_their_gradients_sum_up(
    network: nn.Module, name: str, shown: tuple[Tensor, Tensor]
) -> None:
    assert path_lengths(network, shown[0][:1]) == ((0, 0, 0, 1) if name == "branch_only" else (1, 3, 3, 1))
    images = shown[0].clone().requires_grad_()
    loss = nn.functional.cross_entropy(network(images), shown[1], reduction="sum")
    (whole,) = torch.autograd.grad(loss, images)
    split = gradient_by_length(network, *shown)
    torch.testing.assert_close(split.sum(0), whole)
    found = look("paths", network, *shown, draws=2)
    assert found.values["paths"] == (1 if name == "branch_only" else 2**UNITS)


def test_a_path_drawn_through_every_branch_is_all_there_is_of_its_length(
    network: nn.Module, shown: tuple[Tensor, Tensor]
) -> None:
    """Of the greatest length there is one path: the gradient of the drawn one is that of the split."""
    longest = look("paths", network, *shown, draws=4).rows[-1]
    _, count, norm, _, _, together = longest
    assert count == 1
    assert norm == pytest.approx(together)


def test_singular_values_lie_within_their_bounds(name: str, shown: tuple[Tensor, Tensor]) -> None:
    network = _network(name)
    if name in ("branch_only", "concat"):
        with pytest.raises(UsageError, match="no residual unit keeps a shape"):
            look("singular", network, *shown)
        return
    values = look("singular", network, *shown, scales=[1.0]).values
    assert values["lower"] <= values["smallest"] <= values["largest"] <= values["upper"]
    if name in SUMS:  # nothing but I + J
        assert values["real_largest"] == pytest.approx(values["largest"])
        assert values["real_smallest"] == pytest.approx(values["smallest"])


def test_reuse_weighs_the_branch_as_the_merge_does(name: str, shown: tuple[Tensor, Tensor]) -> None:
    found = look("reuse", _network(name), *shown)
    assert found.values["units"] == UNITS
    ratio = found.rows[0][2]
    if name == "branch_only":
        assert ratio is None
        return
    call = unit_calls(_network(name), *shown)[0]
    shortcut = call.unit.shortcut(call.x)
    if name == "concat":
        assert ratio == pytest.approx(float(call.branch(call.x).norm() / shortcut.norm()))
    else:
        rest = call.unit.merge.without_branch(call.x, shortcut)
        assert ratio == pytest.approx(float((call.y - rest).norm() / rest.norm()))


def test_units_are_euler_steps_of_plain_sums_alone(name: str, shown: tuple[Tensor, Tensor]) -> None:
    network = _network(name)
    if name in SUMS - {"coupled"}:  # a coupled unit does not change what its branch reads
        found = look("euler", network, *shown, finest=8)
        assert found.values["refined_units"] == UNITS
        assert found.values["observed_order"] == pytest.approx(1.0, abs=0.2)
    else:
        with pytest.raises(UsageError, match="no unit can be refined"):
            look("euler", network, *shown, finest=8)


@pytest.mark.parametrize("kind", ["gradients", "variance", "products", "transmitted", "signal", "lesions"])
def test_what_is_asked_of_any_unit_is_answered_or_refused_in_a_line(
    kind: str, name: str, shown: tuple[Tensor, Tensor]
) -> None:
    options = {"variance": {"draws": 1}, "lesions": {"draws": 1, "most": 2}}.get(kind, {})
    try:
        found = look(kind, _network(name), *shown, **options)
    except UsageError as error:
        assert (kind, name) == ("transmitted", "concat")
        assert "keeps the shape" in str(error) and "\n" not in str(error)
        return
    assert found.sentence.endswith(".")
    assert found.rows
