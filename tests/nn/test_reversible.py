import copy

import pytest
import torch
from torch import nn

from residua.nn import Chain, DropPath, PadShortcut, Residual, basic_layers, conv_branch, residual_units
from residua.nn.coupling import Coupled
from residua.nn.reversible import Reversible, invertible
from residua.nn.streams import JoinChannels, SplitChannels


def units(count, width=4, **options):
    """Pre-activated units into the second and the first stream in turn."""
    return [
        Residual(
            conv_branch(basic_layers(width), width, "full_preact", dropout=options.get("dropout", 0.0)),
            merge=Coupled(1 - index % 2),
            drop_path=options.get("drop_path", 0.0),
        )
        for index in range(count)
    ]


def pair(count=6, dtype=torch.float64, **options):
    """A reversible network, and the same as a chain."""
    torch.manual_seed(0)
    stride = Residual(
        conv_branch(basic_layers(4, 2), 3, "full_preact"),
        nn.Sequential(nn.AvgPool2d(2), PadShortcut(3, 4, split=True)),
        merge=Coupled(0),
    )
    net = nn.Sequential(SplitChannels(), Reversible(stride, *units(count, **options)), JoinChannels()).to(
        dtype
    )
    chain = copy.deepcopy(net)
    chain[1] = Chain(*chain[1])
    return net, chain


def backpropagate(net, x, seed=1):
    """Output, gradients and buffers of one training pass."""
    torch.manual_seed(seed)
    x = x.clone().requires_grad_()
    y = net(x)
    y.square().sum().backward()
    grads = [x.grad, *(p.grad for p in net.parameters())]
    return y, grads, [b.clone() for b in net.buffers()], torch.get_rng_state()


def test_a_pair_of_units_is_the_coupling_of_the_paper():
    f, g = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
    block = nn.Sequential(
        SplitChannels(), Residual(f, merge=Coupled(0)), Residual(g, merge=Coupled(1)), JoinChannels()
    )
    x = torch.randn(2, 8, 5, 5)
    x1, x2 = x.chunk(2, 1)
    y1 = x1 + f(x2)
    assert torch.equal(block(x), torch.cat((y1, x2 + g(y1)), 1))
    merge = block[1].merge
    streams, branch = block[0](x), torch.randn(2, 4, 5, 5)
    lesion, contribution = (
        merge.without_branch(streams, streams),
        merge.contribution(streams, streams, branch),
    )
    assert torch.equal(merge(streams, streams, branch), lesion + contribution)
    assert torch.equal(lesion, streams)


@pytest.mark.parametrize(
    "options",
    [{}, {"dropout": 0.3}, {"drop_path": 0.5}, {"drop_path": DropPath(0.5, "batch")}],
    ids=["plain", "dropout", "drop path", "skipped batches"],
)
def test_inversion_gives_the_gradients_of_backpropagation_and_moves_statistics_once(options):
    net, chain = pair(**options)
    x = torch.randn(8, 6, 8, 8, dtype=torch.float64)
    (y, grads, buffers, random), (z, others, kept, after) = backpropagate(net, x), backpropagate(chain, x)
    assert torch.equal(y, z)
    assert torch.equal(random, after)  # the generator goes on where it would have
    assert all(torch.equal(a, b) for a, b in zip(buffers, kept, strict=True))
    for ours, theirs in zip(grads, others, strict=True):
        if theirs is None:  # of a skipped branch
            assert ours is None
        else:
            assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_single_precision_differs_by_rounding():
    net, chain = pair(24, torch.float32)
    x = torch.randn(8, 6, 8, 8)
    grads, others = backpropagate(net, x)[1], backpropagate(chain, x)[1]
    error = max(float((a - b).norm() / b.norm()) for a, b in zip(grads, others, strict=True))
    assert 0 < error < 1e-4


def kept_bytes(net, x):
    """Bytes that autograd keeps for the backward pass."""
    kept = {}

    def pack(tensor):
        kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        net(x)
    weights = {p.data_ptr() for p in net.parameters()}
    return sum(size for place, size in kept.items() if place not in weights)


def test_memory_is_constant_in_the_number_of_units():
    x = torch.randn(4, 6, 8, 8, dtype=torch.float64, requires_grad=True)
    (shallow, shallow_chain), (deep, deep_chain) = pair(2), pair(30)
    assert kept_bytes(deep, x) == kept_bytes(shallow, x)
    assert kept_bytes(deep_chain, x) > 5 * kept_bytes(shallow_chain, x)


def test_under_autocast_the_streams_keep_the_precision_of_the_weights():
    net, chain = pair(12, torch.float32)
    x = torch.randn(8, 6, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        y, grads, _, _ = backpropagate(net, x)
        _, others, _, _ = backpropagate(chain, x)
    assert y.dtype == torch.float32
    for a, b in zip(grads, others, strict=True):
        assert float((a - b).norm() / b.norm()) < 0.1


def test_only_what_adds_to_its_input_is_inverted():
    net, _ = pair()
    assert [invertible(unit) for unit in net[1]] == [False] + [True] * 6
    assert not invertible(Residual(nn.Conv2d(4, 4, 1)))
    assert list(residual_units(net)) == [f"1.{index}" for index in range(7)]


def test_evaluation_second_derivatives_fx_and_export_see_a_chain():
    net, chain = pair()
    net.eval(), chain.eval()
    x = torch.randn(2, 6, 8, 8, dtype=torch.float64)
    assert torch.equal(net(x), chain(x))
    (slope,) = torch.autograd.grad(net(x.requires_grad_()).square().sum(), x, create_graph=True)
    assert torch.autograd.grad(slope.sum(), x)[0].isfinite().all()
    x = x.detach()
    assert torch.allclose(torch.fx.symbolic_trace(net)(x), net(x))
    assert torch.allclose(torch.export.export(net, (x,)).module()(x), net(x))
    assert list(net.state_dict()) == list(chain.state_dict())


@pytest.mark.slow
def test_a_compiled_step_still_inverts():
    net, chain = pair()
    x = torch.randn(4, 6, 8, 8, dtype=torch.float64)
    compiled = torch.compile(net, backend="aot_eager")
    compiled(x).square().sum().backward()
    chain(x).square().sum().backward()
    for a, b in zip(net.parameters(), chain.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, rtol=1e-9, atol=1e-9)
    torch._dynamo.reset()
