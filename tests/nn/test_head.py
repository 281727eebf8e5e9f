import torch
from torch import nn

from residua.nn import PoolHead, hidden_head


def test_a_head_pools_and_classifies():
    head = PoolHead(3, 2)
    maps = torch.randn(4, 3, 5, 6)
    assert torch.allclose(head.pool(maps), maps.mean((2, 3)))
    assert torch.equal(head(maps), head.fc(head.pool(maps)))
    assert list(head.state_dict()) == ["fc.weight", "fc.bias"]


def test_without_classes_a_head_gives_its_features():
    maps = torch.randn(4, 3, 5, 5)
    assert torch.equal(PoolHead(3, 0)(maps), maps.mean((2, 3)))


def test_hidden_layers_stand_between_the_pooling_and_the_classifier():
    head = hidden_head(3, 2, size=4, hidden=(6, 5), dropout=0.5).eval()
    kinds = [type(module) for module in head.pool]
    layer = [nn.Linear, nn.ReLU, nn.Dropout]
    assert kinds == [nn.AdaptiveAvgPool2d, nn.Flatten, *layer, *layer]
    assert head.num_features == 5
    assert head(torch.randn(2, 3, 8, 8)).shape == head(torch.randn(2, 3, 1, 1)).shape == (2, 2)


def test_without_hidden_layers_dropout_follows_the_pooling():
    head = hidden_head(3, 2, dropout=0.2)
    assert [type(module) for module in head.pool] == [nn.AdaptiveAvgPool2d, nn.Flatten, nn.Dropout]
    maps = torch.randn(2, 3, 4, 4)
    assert torch.allclose(head.eval().pool(maps), maps.mean((2, 3)), atol=1e-6)
