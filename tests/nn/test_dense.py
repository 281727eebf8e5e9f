import torch

from residua.nn import Concat, DropPath, Residual, dense_layer, transition


def test_a_dense_layer_appends_its_features():
    layer = dense_layer(6, 4, bottleneck=2).eval()
    x = torch.randn(2, 6, 5, 5)
    out = layer(x)
    assert out.shape == (2, 10, 5, 5)
    assert torch.equal(out[:, :6], x)
    assert torch.equal(out[:, 6:], layer.branch(x))


def test_a_dense_layer_without_its_branch_keeps_its_shape():
    merge = Concat(4)
    x = torch.randn(2, 6, 5, 5, dtype=torch.float64)
    out = merge.without_branch(x, x)
    assert (out.shape, out.dtype) == ((2, 10, 5, 5), torch.float64)
    assert torch.equal(out[:, :6], x)
    assert not out[:, 6:].any()


def test_concat_joins_any_number_of_dimensions():
    unit = Residual(torch.nn.Linear(3, 2), merge=Concat(2))
    assert unit(torch.randn(5, 3)).shape == (5, 5)
    assert unit.merge.without_branch(torch.ones(5, 3), torch.ones(5, 3)).shape == (5, 5)


def test_a_sample_that_drops_the_layer_has_zeros():
    torch.manual_seed(0)
    layer = dense_layer(6, 4, drop_path=DropPath(0.5)).train()
    out = layer(torch.randn(32, 6, 4, 4))[:, 6:]
    dropped = (out == 0).flatten(1).all(1)
    assert 0 < int(dropped.sum()) < 32


def test_a_transition_halves_maps_rounding_down():
    assert transition(8, 3)(torch.randn(1, 8, 7, 7)).shape == (1, 3, 3, 3)
