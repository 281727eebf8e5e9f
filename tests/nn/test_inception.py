import torch

from residua.nn import Inception, InceptionStem


def test_an_inception_module_is_its_branches_side_by_side():
    module = Inception(6, (3, 2, 4, 1, 2, 5)).eval()
    x = torch.randn(2, 6, 7, 7)
    out = module(x)
    assert out.shape == (2, module.out_channels, 7, 7) == (2, 14, 7, 7)
    branches = (module.branch1, module.branch2, module.branch3, module.branch4)
    assert torch.equal(out, torch.cat([branch(x) for branch in branches], 1))


def test_the_third_branch_has_the_largest_kernel():
    assert Inception(6, (3, 2, 4, 1, 2, 5)).branch3[1].conv.kernel_size == (5, 5)
    assert Inception(6, (3, 2, 4, 1, 2, 5), largest_kernel=3).branch3[1].conv.kernel_size == (3, 3)


def test_the_stem_reduces_eightfold():
    assert InceptionStem(3, 4)(torch.randn(1, 3, 64, 64)).shape == (1, 12, 8, 8)
