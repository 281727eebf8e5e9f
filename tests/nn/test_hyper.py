import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from residua.errors import UsageError
from residua.nn import Chain, DropPath, Residual, without_shortcuts
from residua.nn.hyper import HyperConnection
from residua.nn.segments import recomputing
from residua.nn.stream_weights import DoublyStochastic, stream_weights
from residua.nn.streams import CopyStreams, MeanStreams

KINDS = ("static", "dynamic", "constrained")


def connection(kind, channels, out_channels=None, *, streams=3, first=0, axis=1):
    weights = stream_weights(kind, streams, channels, out_channels, first=first)
    return HyperConnection(streams, **weights, axis=axis)


def scatter(module, seed=0):
    """Give every parameter a value of its own."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
    return module


def convolutions(kind, **options):
    """A small network of two widths, between whose units there are streams."""
    torch.manual_seed(0)
    return nn.Sequential(
        CopyStreams(3),
        Residual(nn.Conv2d(4, 4, 3, padding=1), merge=connection(kind, 4), activation=nn.ReLU(), **options),
        Residual(
            nn.Conv2d(4, 6, 3, 2, padding=1), nn.Conv2d(4, 6, 1, 2), merge=connection(kind, 4, 6, first=1)
        ),
        MeanStreams(3),
    )


@pytest.mark.parametrize("kind", ["static", "dynamic"])
def test_a_network_starts_as_the_residual_network_of_one_stream(kind):
    net = convolutions(kind)
    plain = nn.Sequential(*[Residual(u.branch, u.shortcut, activation=u.activation) for u in net[1:3]])
    x = torch.randn(2, 4, 7, 7)
    assert torch.allclose(net(x), plain(x), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_merge_is_what_its_equation_says_in_maps_and_at_positions_alike(kind):
    maps, rows = (scatter(connection(kind, 4, axis=axis)) for axis in (1, -1))
    unit = Residual(nn.Conv2d(4, 4, 1), merge=maps)
    same = Residual(nn.Linear(4, 4), merge=rows)
    same.branch.load_state_dict({"weight": unit.branch.weight[:, :, 0, 0], "bias": unit.branch.bias})
    x = torch.randn(6, 4, 5, 5)
    got = unit(x)
    assert torch.allclose(same(x.flatten(2).mT).mT.unflatten(2, (5, 5)), got, atol=1e-6)
    pixel = x[:3, :, 2, 3]  # (n, C): the three streams of a sample, at one place
    read, mix, write = (maps.weights[name](pixel) for name in ("read", "mix", "write"))
    branch = same.branch((read * pixel).sum(0))
    expected = torch.einsum("st,sc->tc", mix, pixel) + write * branch
    assert torch.allclose(got[:3, :, 2, 3], expected, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lesion_is_a_zero_branch_and_drop_path_drops_whole_samples(kind):
    merge = scatter(connection(kind, 4))
    x, branch = torch.randn(6, 4, 5, 5), torch.randn(2, 4, 5, 5)
    lesion = merge.without_branch(x, x)
    assert torch.allclose(lesion, merge(x, x, 0 * branch), atol=1e-6)
    unit = Residual(nn.Conv2d(4, 4, 1), merge=merge, drop_path=0.5).train()
    torch.manual_seed(0)
    streams = torch.randn(3 * 64, 4, 2, 2)
    dropped = (unit(streams) - unit.merge.without_branch(streams, streams)).abs().amax((1, 2, 3)) < 1e-6
    per_sample = dropped.unflatten(0, (64, 3))
    assert bool((per_sample.all(1) | ~per_sample.any(1)).all())
    assert 16 < int(per_sample[:, 0].sum()) < 48
    batch = Residual(nn.Conv2d(4, 4, 1), merge=merge, drop_path=DropPath(0.999, "batch")).train()
    torch.manual_seed(0)
    assert torch.equal(batch(x), lesion)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 6).flatmap(
        lambda n: st.lists(st.lists(st.floats(-8, 8), min_size=n, max_size=n), min_size=n, max_size=n)
    )
)
def test_sinkhorn_makes_rows_and_columns_sum_to_one(logits):
    matrix = DoublyStochastic(500)(torch.tensor(logits, dtype=torch.float64))
    ones = torch.ones(len(logits), dtype=torch.float64)
    assert bool((matrix >= 0).all())
    assert torch.allclose(matrix.sum(1), ones)
    assert torch.allclose(matrix.sum(0), ones, atol=1e-2)


def test_sinkhorn_does_not_overflow():
    matrix = DoublyStochastic()(torch.tensor([[1e4, -1e4], [-1e4, 1e4]]))
    assert torch.equal(matrix, torch.eye(2))


def test_it_recomputes_compiles_exports_and_is_recorded():
    net = convolutions("constrained")
    net = scatter(nn.Sequential(net[0], net[2], net[3]))
    x = torch.randn(2, 4, 8, 8)
    expected = net(x)
    grads = torch.autograd.grad(expected.sum(), net.parameters())
    with recomputing(net):
        again = torch.autograd.grad(net(x).sum(), net.parameters())
    assert all(torch.equal(a, b) for a, b in zip(grads, again, strict=True))
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(net.eval(), (x,), dynamic_shapes=({0: batch},))
    other = torch.randn(5, 4, 8, 8)
    assert torch.allclose(program.module()(other), net(other), atol=1e-6)
    assert torch.allclose(torch.fx.symbolic_trace(net)(other), net(other), atol=1e-6)
    compiled = torch.compile(lambda value: net(value), backend="aot_eager", dynamic=False)
    assert torch.allclose(compiled(x), expected, atol=1e-6)
    torch._dynamo.reset()
    names = list(net.state_dict())
    assert len({id(p) for p in net.parameters()}) == len(list(net.named_parameters(remove_duplicate=False)))
    assert "1.merge.weights.mix.0.static" in names


def test_streams_have_no_counterpart_without_shortcuts():
    with pytest.raises(UsageError, match="unit 1 merges by HyperConnection"):
        without_shortcuts(convolutions("static"))


def test_context_and_tokens_go_through():
    layers = Chain(
        CopyStreams(2), Residual(nn.Linear(4, 4), merge=connection("dynamic", 4, streams=2, axis=-1))
    )
    assert layers(torch.randn(3, 5, 4), mask=None).shape == (6, 5, 4)
