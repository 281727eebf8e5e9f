import copy

import pytest
import torch
from torch import nn

from residua.nn import (
    Add,
    BasicBlock,
    BranchOnly,
    Chain,
    ContextModule,
    DropPath,
    Merge,
    Residual,
    residual_units,
)
from residua.nn.segments import recomputing


def test_a_unit_is_activation_of_shortcut_plus_branch():
    branch, shortcut = nn.Linear(4, 3), nn.Linear(4, 3)
    unit = Residual(branch, shortcut, activation=nn.ReLU())
    x = torch.randn(5, 4)
    assert torch.equal(unit(x), torch.relu(shortcut(x) + branch(x)))


def test_the_default_shortcut_is_the_identity_and_nothing_follows_the_sum():
    branch = nn.Linear(4, 4)
    x = torch.randn(5, 4)
    assert torch.equal(Residual(branch)(x), x + branch(x))


def test_a_plain_unit_is_its_branch_alone():
    branch = nn.Linear(4, 4)
    x = torch.randn(5, 4)
    assert torch.equal(Residual(branch, merge=BranchOnly(), activation=nn.ReLU())(x), torch.relu(branch(x)))


def test_the_merge_is_a_module_that_hooks_can_watch():
    unit = Residual(nn.Linear(4, 4), activation=nn.ReLU())
    seen = {}
    unit.merge.register_forward_hook(lambda _, args, out: seen.update(args=args, out=out))
    x = torch.randn(2, 4)
    unit(x)
    assert seen["args"][0] is x
    assert torch.equal(seen["out"], x + unit.branch(x))
    assert bool((seen["out"] < 0).any()), "the merge's output is taken before the activation"


def test_a_merge_gets_the_input_too():
    class Gate(Merge):
        def forward(self, x, shortcut, branch):
            return torch.sigmoid(x) * shortcut + branch

        def without_branch(self, x, shortcut):
            return torch.sigmoid(x) * shortcut

    unit = Residual(nn.Linear(4, 4), nn.Linear(4, 4), merge=Gate())
    x = torch.randn(3, 4)
    assert torch.equal(unit(x), torch.sigmoid(x) * unit.shortcut(x) + unit.branch(x))


class Scale(ContextModule):
    def forward(self, x, *, factor):
        return factor * x


def test_context_reaches_the_branches_that_take_it_through_chains():
    model = Chain(nn.Identity(), Residual(Scale()), Chain(Residual(nn.Identity()), Residual(Scale())))
    x = torch.ones(2, 3)
    # (1 + 3) * (1 + 1) * (1 + 3)
    assert torch.equal(model(x, factor=3.0), 32 * x)


def test_units_are_listed_by_name_in_the_order_of_depth():
    model = Chain(Residual(nn.Identity()), nn.ReLU(), Chain(Residual(Residual(nn.Identity()))))
    assert list(residual_units(model)) == ["0", "2.0", "2.0.branch"]


def _net() -> nn.Sequential:
    torch.manual_seed(0)
    blocks = [BasicBlock(4, 4), BasicBlock(4, 8, stride=2), BasicBlock(8, 8)]
    blocks[0].drop_path = DropPath(0.5, "batch")
    blocks[2].drop_path = DropPath(0.5, "sample")
    return nn.Sequential(*blocks)


@pytest.mark.parametrize("seed", range(4))  # some seeds drop the first unit's branch, some keep it
def test_recomputation_gives_the_same_gradients_and_batch_statistics_bit_for_bit(seed):
    plain = _net()
    again = copy.deepcopy(plain)
    x = torch.randn(6, 4, 8, 8)
    for model, recompute in ((plain, False), (again, True)):
        with recomputing(model, recompute):
            for step in range(2):
                torch.manual_seed(seed + step)
                model(x).square().mean().backward()
    for (name, one), (_, other) in zip(plain.named_parameters(), again.named_parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), name
        assert one.grad is None or torch.equal(one.grad, other.grad), name
    for (name, one), (_, other) in zip(plain.named_buffers(), again.named_buffers(), strict=True):
        assert torch.equal(one, other), name


def test_recomputation_computes_each_branch_twice_and_ends_with_its_context():
    model = _net()
    model[0].drop_path = DropPath()
    calls = []
    model[0].branch.register_forward_pre_hook(lambda *_: calls.append(1))
    x = torch.randn(2, 4, 8, 8)
    with recomputing(model):
        model(x).sum().backward()
        assert len(calls) == 2
    model(x).sum().backward()
    assert len(calls) == 3


def test_no_module_is_shared_between_places():
    unit = BasicBlock(4, 4)
    modules = [m for m in unit.modules() if isinstance(m, nn.ReLU | Add)]
    assert len(modules) == len({id(m) for m in modules}) == 3
