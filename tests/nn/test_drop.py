import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from residua.errors import UsageError
from residua.nn import BranchOnly, DropPath, Residual, drop_path_rates


def test_sample_mode_drops_whole_samples_and_keeps_the_expected_value():
    torch.manual_seed(0)
    drop = DropPath(0.25, "sample")
    y = drop(torch.ones(4000, 2, 3))
    per_sample = y.flatten(1)
    assert bool((per_sample == per_sample[:, :1]).all()), "a sample drops as a whole"
    assert sorted(set(per_sample[:, 0].tolist())) == [0, pytest.approx(1 / 0.75)]
    assert float(y.mean()) == pytest.approx(1, abs=0.03)


def test_sample_mode_changes_nothing_at_test_time():
    x = torch.randn(4, 3)
    assert torch.equal(DropPath(0.5, "sample").eval()(x), x)


def test_batch_mode_scales_by_the_survival_probability_at_test_time():
    x = torch.randn(4, 3)
    assert torch.equal(DropPath(0.25, "batch").eval()(x), 0.75 * x)


def test_batch_mode_skips_the_branch_itself_at_its_rate():
    torch.manual_seed(0)
    branch, calls = nn.Linear(3, 3), []
    branch.register_forward_hook(lambda *_: calls.append(1))
    unit = Residual(branch, drop_path=DropPath(0.75, "batch"))
    x, skipped = torch.randn(2, 3), 0
    for _ in range(400):
        before = len(calls)
        y = unit(x)
        if len(calls) == before:
            skipped += 1
            assert torch.equal(y, x)
        else:
            assert torch.equal(y, x + branch(x)), "a kept branch is not scaled while training"
            calls.pop()
    assert skipped / 400 == pytest.approx(0.75, abs=0.08)


def test_a_skipped_branch_gets_no_gradient_at_all():
    branch = nn.Linear(3, 3)
    unit = Residual(branch, drop_path=DropPath(0.999999, "batch"))
    torch.manual_seed(0)
    unit(torch.randn(2, 3, requires_grad=True)).sum().backward()
    assert branch.weight.grad is None


def test_batch_mode_never_skips_at_test_time():
    unit = Residual(nn.Linear(3, 3), drop_path=DropPath(0.999999, "batch")).eval()
    calls = []
    unit.branch.register_forward_hook(lambda *_: calls.append(1))
    for _ in range(10):
        unit(torch.randn(2, 3))
    assert len(calls) == 10


def test_a_plain_unit_is_bypassed_where_its_branch_is_cut_out():
    x = torch.randn(2, 3)
    assert BranchOnly().without_branch(x, x) is x


@given(st.sampled_from(["linear", "uniform"]), st.floats(0, 0.99), st.integers(0, 40))
def test_rates_rise_to_the_last_or_stay_the_same(rule, rate, units):
    rates = drop_path_rates(rule, rate, units)
    assert len(rates) == units
    assert rates == sorted(rates)
    assert all(0 <= r <= rate for r in rates)
    if units:
        assert rates[-1] == rate, "also of a net with one unit"
    if units and rule == "uniform":
        assert rates[0] == rate
    if units and rule == "linear":
        assert rates[0] == pytest.approx(rate / units)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2.0])
def test_a_rate_outside_0_1_is_refused(rate):
    with pytest.raises(UsageError, match=r"\[0, 1\)"):
        DropPath(rate)


def test_unknown_modes_and_rules_are_refused():
    with pytest.raises(UsageError, match="'sample' or 'batch', not 'row'"):
        DropPath(0.1, "row")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="'linear' or 'uniform', not 'cosine'"):
        drop_path_rates("cosine", 0.1, 3)  # type: ignore[arg-type]


def _stack(rate=0.5):
    """Units whose branch has statistics, dropped a batch at a time."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(
            Residual(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), drop_path=DropPath(rate, "batch"))
            for _ in range(4)
        )
    ).train()


def test_a_compiled_network_is_one_graph_for_every_pattern():
    """One graph, compiled once; the same draws, outputs and gradients, zero where the eager ones are None."""
    graphs = []

    def count(graph, _):
        graphs.append(graph)
        return graph.forward

    eager, other = _stack(), _stack()
    torch._dynamo.reset()
    compiled = torch.compile(other, backend=count, fullgraph=True, dynamic=False)
    x, skipped = torch.randn(5, 4, requires_grad=True), 0
    for seed in range(8):
        gradients = []
        for model, call in ((eager, eager), (other, compiled)):
            torch.manual_seed(seed)
            model.zero_grad()
            output = call(x)
            output.square().sum().backward()
            gradients.append((output, [p.grad for p in model.parameters()]))
        (expected, wanted), (got, found) = gradients
        assert torch.allclose(got, expected)
        skipped += sum(gradient is None for gradient in wanted)
        for a, b in zip(wanted, found, strict=True):
            assert b is not None
            assert torch.allclose(b, torch.zeros_like(b) if a is None else a, atol=1e-6)
    assert skipped, "no branch was ever skipped"
    assert len(graphs) == 1


def test_a_captured_graph_updates_the_statistics_of_a_skipped_branch_and_eager_does_not():
    x = torch.randn(5, 4)
    torch.manual_seed(0)
    exported = torch.export.export(_stack(0.999999), (x,)).module()
    assert torch.equal(exported(x), x)
    assert all(int(b) == 1 for name, b in exported.named_buffers() if name.endswith("num_batches_tracked"))
    eager = _stack(0.999999)
    assert torch.equal(eager(x), x)
    assert all(int(b) == 0 for name, b in eager.named_buffers() if name.endswith("num_batches_tracked"))


def test_eager_draws_are_those_of_one_number_a_unit():
    """A run that was begun before must go on with the same bits."""
    model, x = _stack(), torch.randn(5, 4)
    torch.manual_seed(7)
    expected = [bool(torch.rand(()) < 0.5) for _ in range(4)]
    called = []
    for index, unit in enumerate(model):
        unit.branch.register_forward_hook(lambda *_, index=index: called.append(index))
    torch.manual_seed(7)
    model(x)
    assert called == [index for index, skips in enumerate(expected) if not skips]
