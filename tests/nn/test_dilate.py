import pytest
import torch
from torch import nn

from residua.errors import UsageError
from residua.nn import Residual
from residua.nn.dilate import dilate
from residua.registry import build, model_spec
from residua.weights.model_files import Weights, adapt

NAMES = ("cifar_resnet8", "cifar_preact_resnet8", "cifar_resnet11", "resnet18", "resnet50", "resnet50_v1")


def trained(model):
    """Norms as after training: the identity would hide a wrong one."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean, std=0.1)
    return model.eval().double()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("finer", [2, 4])
def test_a_dilated_network_holds_every_old_value_at_every_nth_pixel(name, finer):
    """The usual mistake is to dilate the strided 3x3 itself by its own stride: it then sees other pixels."""
    torch.manual_seed(0)
    strided = trained(build(model_spec(name, in_channels=1)))
    stride = strided.reduction // finer
    dilated = build(model_spec(name, in_channels=1, output_stride=stride)).eval().double()
    dilated.load_state_dict(strided.state_dict())
    x = torch.randn(1, 1, 2 * strided.reduction, 3 * strided.reduction, dtype=torch.double)
    with torch.inference_mode():
        old, new = strided.forward_features(x), dilated.forward_features(x)
    assert dilated.feature_info[-1]["reduction"] == stride == x.shape[2] // new.shape[2]
    assert torch.allclose(new[:, :, ::finer, ::finer], old, rtol=1e-9, atol=1e-12)
    assert not torch.allclose(new[:, :, 1::finer, 1::finer], old, rtol=1e-3)  # the pixels between are new


@pytest.mark.parametrize("shortcut", ["A", "A-split", "B", "C"])
@pytest.mark.parametrize("merge", ["add", "branch_only"])
def test_every_shortcut_loses_its_stride(shortcut, merge):
    spec = model_spec("cifar_resnet8", shortcut=shortcut, merge=merge, output_stride=1)
    assert build(spec).forward_features(torch.randn(1, 3, 8, 8)).shape == (1, 64, 8, 8)


def test_an_output_stride_that_cannot_be():
    with pytest.raises(UsageError, match=r"output_stride must be one of \[4, 8, 16, 32\], not 2"):
        model_spec("resnet18", output_stride=2)


def test_strides_that_are_not_of_convolutions_are_refused():
    pooled = Residual(nn.Sequential(nn.Conv2d(2, 2, 3, 2, padding=1)), nn.AvgPool2d(2))
    with pytest.raises(UsageError, match="AvgPool2d cannot be dilated"):
        dilate(pooled, 1)
    crooked = Residual(nn.Conv2d(2, 2, 3, 2, padding=1), nn.Conv2d(2, 2, 1, 4))
    with pytest.raises(UsageError, match="different strides"):
        dilate(crooked, 1)


def test_a_dilated_network_starts_from_the_weights_of_a_strided_one():
    strided, dilated = (build(model_spec("cifar_resnet8", output_stride=stride)) for stride in (None, 1))
    adapted = adapt(dilated, Weights(strided.state_dict(), strided.spec))
    assert (adapted.changed, adapted.fresh) == ((), ())
