import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residua import create_model
from residua.errors import UsageError
from residua.nn import Chain, residual_units
from residua.nn.reversible import invertible
from residua.registry import model_spec


@pytest.mark.parametrize(
    ("name", "parameters", "depth"), [("cifar_revnet38", 464_890, 38), ("cifar_revnet110", 1_729_194, 110)]
)
def test_counts_are_the_papers(name, parameters, depth):  # 0.46 M and 1.73 M
    net = create_model(name)
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert net.spec.depth == depth


def test_the_arithmetic_is_that_of_the_authors_code():
    torch.manual_seed(0)
    net = create_model("cifar_revnet10").eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    x = torch.randn(2, 3, 16, 16)

    def branch(unit, y):
        parts = dict(unit.branch.named_children())
        if "norm1" in parts:
            y = F.relu(parts["norm1"](y))
        return parts["conv2"](F.relu(parts["norm2"](parts["conv1"](y))))

    def down(y):  # average pooling, and zero channels on both sides
        return F.pad(F.avg_pool2d(y, 2), (0, 0, 0, 0, 4, 4))

    x1, x2 = net.stem(x).chunk(2, 1)
    for stage, (f, g) in enumerate(net.stages):
        y1 = (down(x1) if stage else x1) + branch(f, x2)
        y2 = (down(x2) if stage else x2) + branch(g, y1)
        x1, x2 = y1, y2
    features = F.relu(net.tail[0](torch.cat((x1, x2), 1)))
    assert torch.allclose(net(x), net.head.fc(features.mean((2, 3))), atol=1e-5)
    assert "norm1" not in dict(
        net.stages[0][0].branch.named_children()
    )  # the stem's norm and ReLU stand before it


def test_all_units_but_the_strided_ones_are_inverted():
    units = residual_units(create_model("cifar_revnet38"))
    assert [name for name, unit in units.items() if not invertible(unit)] == ["stages.1.0", "stages.2.0"]


def test_training_keeps_no_more_for_more_units():
    def kept(depths):
        net = create_model("cifar_revnet10", depths=depths)
        sizes = {}

        def pack(tensor):
            sizes[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            net.train()(torch.randn(4, 3, 16, 16))
        weights = {p.data_ptr() for p in net.parameters()}
        return sum(size for place, size in sizes.items() if place not in weights)

    assert kept((2, 2)) == kept((8, 8))


def test_a_training_step_is_that_of_a_chain():
    inverted = create_model("cifar_revnet10", depths=(4, 4)).double()
    chain = copy.deepcopy(inverted)
    for index, stage in enumerate(chain.stages):
        chain.stages[index] = Chain(*stage)
    images = torch.randn(8, 3, 16, 16, dtype=torch.float64)
    for net in (inverted, chain):
        F.cross_entropy(net(images), torch.arange(8)).backward()
    for (name, one), other in zip(inverted.named_parameters(), chain.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, rtol=1e-8, atol=1e-10), name


def test_an_odd_stem_cannot_be_split():
    with pytest.raises(UsageError, match="2 streams"):
        model_spec("cifar_revnet10", **{"stem.width": 15})
