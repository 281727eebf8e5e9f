import torch
from torch import nn

from residua.nn import place, suited


def test_each_rank_gets_the_layout_that_it_has():
    assert suited(torch.channels_last, 4) is torch.channels_last
    assert suited(torch.channels_last, 5) is torch.channels_last_3d
    assert suited(torch.channels_last, 2) is torch.contiguous_format
    assert suited(torch.contiguous_format, 5) is torch.contiguous_format


def test_a_network_of_both_kinds_is_placed_and_stays_the_same_network():
    network = nn.ModuleList([nn.Conv2d(3, 4, 3), nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4), nn.Linear(4, 2)])
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    parameters = list(network.parameters())
    assert place(network, "cpu", torch.channels_last) is network
    assert all(a is b for a, b in zip(parameters, network.parameters(), strict=True))
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert network[1].weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
