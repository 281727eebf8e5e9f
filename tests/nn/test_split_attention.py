import pytest
import torch
from torch import nn

from residua.errors import UsageError
from residua.nn import SplitAttention


def _trained_like(module):
    """Statistics that are not the identity."""
    torch.manual_seed(0)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.running_var, 0.5, 2)
            nn.init.normal_(norm.running_mean, std=0.1)
            nn.init.normal_(norm.bias, std=0.1)
    return module.eval()


def test_a_single_split_is_squeeze_and_excitation():
    attention = _trained_like(SplitAttention(8, 12, radix=1))
    x = torch.randn(2, 8, 5, 5)
    maps = torch.relu(attention.norm1(attention.conv(x)))
    squeezed = maps.mean((2, 3), keepdim=True)
    gate = torch.sigmoid(attention.fc2(torch.relu(attention.norm2(attention.fc1(squeezed)))))
    assert torch.allclose(attention(x), gate * maps, atol=1e-6)


@pytest.mark.parametrize(("radix", "cardinality"), [(2, 1), (2, 2), (3, 2), (4, 3)])
def test_every_cardinal_group_weighs_its_own_splits(radix, cardinality):
    """Zhang et al. 2020, sec. 3.1, group by group: V_k = sum_r softmax_r(G(sum_r pool U_kr)) U_kr."""
    channels = 2 * radix * cardinality  # of the output; c of each cardinal group
    c = channels // cardinality
    module = _trained_like(SplitAttention(channels, channels, radix=radix, cardinality=cardinality))
    x = torch.randn(2, channels, 4, 4)
    maps = torch.relu(module.norm1(module.conv(x)))
    hidden = module.fc1.out_channels // cardinality
    out = []
    for k in range(cardinality):
        # split r of group k: the r-th of radix blocks holds all groups' channels, group by group
        splits = [maps[:, r * channels + k * c : r * channels + (k + 1) * c] for r in range(radix)]
        pooled = torch.stack([split.mean((2, 3)) for split in splits]).sum(0)
        rows = slice(k * hidden, (k + 1) * hidden)
        dense = pooled @ module.fc1.weight[rows, :, 0, 0].T + module.fc1.bias[rows]
        mean, var = module.norm2.running_mean[rows], module.norm2.running_var[rows]
        dense = (dense - mean) / (var + module.norm2.eps).sqrt() * module.norm2.weight[
            rows
        ] + module.norm2.bias[rows]
        rows = slice(k * radix * c, (k + 1) * radix * c)
        scores = torch.relu(dense) @ module.fc2.weight[rows, :, 0, 0].T + module.fc2.bias[rows]
        weights = scores.view(-1, radix, c).softmax(1)
        out.append(sum(weights[:, r, :, None, None] * split for r, split in enumerate(splits)))
    assert torch.allclose(module(x), torch.cat(out, 1), atol=1e-5)


def test_weights_of_the_splits_sum_to_one_for_every_channel():
    module = SplitAttention(8, 8, radix=4, cardinality=2)
    weights = module.attention(torch.randn(3, 32, 1, 1))
    assert weights.shape == (3, 4, 8, 1, 1)
    assert torch.allclose(weights.sum(1), torch.ones(3, 8, 1, 1))


def test_equal_splits_come_out_as_one():
    module = SplitAttention(4, 4, radix=2).eval()
    with torch.no_grad():  # both splits read all channels alike
        module.conv.weight[4:] = module.conv.weight[:4]
    x = torch.randn(1, 2, 3, 3).repeat(1, 2, 1, 1)
    maps = torch.relu(module.norm1(module.conv(x)))
    assert torch.allclose(module(x), maps[:, :4], atol=1e-6)


def test_stride_and_shape():
    assert SplitAttention(6, 8, stride=2)(torch.randn(2, 6, 7, 7)).shape == (2, 8, 4, 4)


def test_a_batch_of_one_is_refused_in_training_only():
    module = SplitAttention(4, 4)
    with pytest.raises(UsageError, match="at least two images"):
        module(torch.randn(1, 4, 3, 3))
    module.eval()(torch.randn(1, 4, 3, 3))
