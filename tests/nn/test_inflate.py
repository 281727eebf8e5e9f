import torch
from torch import nn

from residua.nn import basic_layers, conv_branch, he_init, inflate, pad_shortcut


def test_a_volume_of_equal_slices_gives_the_images_maps_away_from_its_ends():
    torch.manual_seed(0)
    flat = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
    ).eval()
    flat[1].running_mean.uniform_(-1, 1)
    image = torch.randn(2, 3, 8, 8)
    expected = flat(image)
    deep = inflate(flat)
    volume = image.unsqueeze(2).expand(-1, -1, 9, -1, -1)
    got = deep(volume)
    assert got.shape == (2, 4, 5, 4, 4)
    assert torch.allclose(got[:, :, 2], expected, atol=1e-6)


def test_a_branch_is_as_deep_as_it_is_high_and_keeps_what_is_no_layer():
    branch = inflate(conv_branch(basic_layers(8, 2), 4))
    assert [type(m) for m in branch] == [nn.Conv3d, nn.BatchNorm3d, nn.ReLU, nn.Conv3d, nn.BatchNorm3d]
    assert branch.conv1.kernel_size == (3, 3, 3) and branch.conv1.stride == (2, 2, 2)
    assert branch.conv1.bias is None
    he_init(branch)
    assert abs(float(branch.conv1.weight.detach().var()) / (2 / (27 * 8)) - 1) < 0.2


def test_option_a_subsamples_the_depth_too():
    x = torch.randn(1, 2, 5, 6, 7)
    padded = pad_shortcut(2, 5, 2)(x)
    assert padded.shape == (1, 5, 3, 3, 4)
    assert torch.equal(padded[:, :2], x[:, :, ::2, ::2, ::2])
    assert not padded[:, 2:].any()
