"""Recomputation in segments: what is kept, and that nothing else changes."""

import copy
import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from residua.analysis.held_memory import Held
from residua.nn import BasicBlock, Chain, ContextModule, DropPath, Residual, residual_units
from residua.nn.residual import Segment
from residua.nn.segments import recomputing
from residua.registry import build, model_spec


def unit(width=4, **options):
    layers = nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, width)
    return Residual(nn.Sequential(*layers), **options)


def segments_of(chain):
    with recomputing(chain):
        return tuple(chain.segments)


def computed(net, x, *, low, steps=2):
    """What a training of some steps leaves: outputs, gradients (None where there is none), buffers."""
    net = copy.deepcopy(net).train()
    outputs = []
    for step in range(steps):
        torch.manual_seed(step)
        with recomputing(net, low):
            outputs.append(net(x))
            outputs[-1].square().mean().backward()
    return outputs, [p.grad for p in net.parameters()], list(net.buffers())


def assert_same(one, other):
    for left, right in zip(one, other, strict=True):
        for a, b in zip(left, right, strict=True):
            assert (a is None) == (b is None)
            assert a is None or torch.equal(a, b)


@pytest.mark.parametrize("units", [4, 25, 100, 400])
def test_what_is_kept_grows_with_the_square_root_of_the_depth(units):
    segments = segments_of(Chain(*(unit() for _ in range(units))))
    layers = 2 * units
    longest = max(segment.end - segment.start for segment in segments)
    assert segments[0].start == 0
    assert segments[-1].end == units
    assert all(left.end == right.start for left, right in itertools.pairwise(segments))
    assert len(segments) + 2 * 2 * longest <= 3.2 * math.sqrt(layers) + 2  # 2 sqrt(2) at best


def test_the_forward_pass_of_a_deep_network_keeps_an_eighth():
    net = build(model_spec("cifar_resnet110")).train()
    kept = {}
    for low in (False, True):
        held = Held(net)
        with recomputing(net, low), held:
            net(torch.randn(1, 3, 32, 32))
        kept[low] = held.bytes
    assert kept[True] < kept[False] / 8


def test_long_stages_are_cut_and_short_ones_are_segments_of_their_own():
    short, long = Chain(unit()), Chain(*(unit() for _ in range(17)))
    whole = Chain(short, long, nn.ReLU(), unit(), unit())
    with recomputing(whole):
        assert [len(range(s.start, s.end)) for s in long.segments] == [2] * 8 + [1]
        assert whole.segments == (Segment(0, 1), Segment(1, 2, recomputed=False), Segment(2, 5))
        assert not short.segments
    assert not whole.segments
    assert not long.segments


class Scaled(ContextModule):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x, *, factor):
        return factor * self.layer(x)


def test_context_reaches_units_in_segments():
    net = Chain(*(Residual(Scaled()) for _ in range(9)))
    x = torch.randn(3, 4)
    plain = torch.autograd.grad(net(x, factor=0.5).sum(), net.parameters())
    with recomputing(net):
        assert net.segments
        again = torch.autograd.grad(net(x, factor=0.5).sum(), net.parameters())
    assert all(torch.equal(a, b) for a, b in zip(plain, again, strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_skipped_batches_and_samples_are_drawn_once(seed):
    torch.manual_seed(seed)
    units = [BasicBlock(4, 4) for _ in range(8)]
    for index, one in enumerate(units):
        one.drop_path = DropPath(0.5, ("batch", "sample")[index % 2])
    net, x = Chain(*units), torch.randn(6, 4, 8, 8)
    assert_same(computed(net, x, low=False), computed(net, x, low=True))


trees = st.recursive(
    st.sampled_from(["unit", "relu", "dropping"]), lambda inner: st.lists(inner, max_size=6), max_leaves=20
)


def tree(shape):
    if isinstance(shape, list):
        return Chain(*map(tree, shape))
    return {"unit": unit, "relu": nn.ReLU, "dropping": lambda: unit(drop_path=0.5)}[shape]()


@settings(max_examples=30, deadline=None)
@given(trees)
def test_any_nest_of_chains_gives_the_same_bits(shape):
    torch.manual_seed(0)
    net, x = tree(shape), torch.randn(5, 4, requires_grad=True)
    assert_same(computed(net, x, low=False), computed(net, x, low=True))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("cifar_resnet56", {}),
        ("cifar_resnet20", {"merge": "hyper", "drop_path": 0.3}),
        ("cifar_revnet10", {}),
        ("densenet_tiny", {"dropout": 0.2}),
        ("vgg_tiny", {}),
        ("residual_mlp_tiny", {}),
        ("transformer_tiny", {"dropout": 0.2, "layers": 4}),
        ("sngan_tiny", {}),
        ("segmenter_tiny", {}),
        ("detector_tiny", {}),
    ],
)
def test_networks_give_the_same_bits(name, changes):
    torch.manual_seed(0)
    net = build(model_spec(name, **changes))
    x = torch.randn(3, *net.spec.usual_input)
    x = torch.randint(7, (3, 5)) if name == "transformer_tiny" else x
    assert_same(computed(net, x, low=False, steps=1), computed(net, x, low=True, steps=1))


def test_a_reversible_chain_stays_as_it_is():
    net = build(model_spec("cifar_revnet10")).train()
    calls = []
    for one in residual_units(net).values():
        one.branch.register_forward_hook(lambda *_: calls.append(1))
    x = torch.randn(2, 3, 32, 32)
    net(x).sum().backward()
    plain = len(calls)
    with recomputing(net):
        net(x).sum().backward()
    assert len(calls) == 2 * plain


def test_what_the_user_asked_for_stays():
    net = build(model_spec("cifar_resnet8")).train()
    net.set_grad_checkpointing()
    with recomputing(net):
        net(torch.randn(2, 3, 32, 32)).sum().backward()
    assert all(one.recompute for one in residual_units(net).values())


def test_evaluation_recomputes_nothing():
    net = Chain(*(unit() for _ in range(9))).eval()
    calls = []
    net[0].register_forward_hook(lambda *_: calls.append(1))
    with recomputing(net):
        net(torch.randn(3, 4)).sum().backward()
    assert calls == [1]
