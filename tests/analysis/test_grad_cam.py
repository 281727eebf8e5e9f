import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residua.analysis.grad_cam import grad_cam
from residua.errors import UsageError
from residua.looks import look
from residua.nn import Residual
from residua.registry import build, model_spec


class Bright(nn.Module):
    """Class k is how much of colour k there is: what speaks for it is where that colour is."""

    def __init__(self):
        super().__init__()
        self.unit = Residual(nn.Conv2d(3, 3, 1, bias=False))
        nn.init.zeros_(self.unit.branch.weight)
        self.fc = nn.Linear(3, 3, bias=False)
        nn.init.eye_(self.fc.weight)

    def forward(self, x):
        return self.fc(F.relu(self.unit(x), inplace=True).mean((2, 3)))


def _spot(colour, row, column):
    image = torch.zeros(3, 16, 16)
    image[colour, row : row + 4, column : column + 4] = 1
    return image


def test_the_heat_is_where_the_class_is():
    images = torch.stack([_spot(0, 2, 3) + 0.5 * _spot(1, 10, 9), _spot(2, 8, 8)])
    found = grad_cam(Bright(), images)
    assert found.target.tolist() == [0, 2]
    assert found.layer == "unit"
    torch.testing.assert_close(found.heat[0], (images[0, 0] > 0).float())
    other = grad_cam(Bright(), images[:1], torch.tensor([1]))
    torch.testing.assert_close(other.heat[0], (images[0, 1] > 0).float())
    nothing = grad_cam(Bright(), images[1:], torch.tensor([1]))
    assert float(nothing.heat.sum()) == 0


def test_the_maps_are_those_before_an_activation_in_place():
    model = Bright()
    nn.init.ones_(model.fc.weight)
    images = torch.stack([_spot(0, 2, 3) + _spot(0, 10, 9) + _spot(1, 2, 3) - 2 * _spot(1, 10, 9)])
    torch.testing.assert_close(grad_cam(model, images).heat[0], (_spot(0, 2, 3)[0] > 0).float())


def test_equations_1_and_2_on_a_real_network():
    torch.manual_seed(0)
    model = build(model_spec("cifar_resnet8", widths=[4, 6, 8])).eval()
    images = torch.randn(2, 3, 16, 16)
    found = grad_cam(model, images)
    maps = model.stages(model.stem(images)).detach().requires_grad_()
    logits = model.forward_head(model.tail(maps))
    (gradient,) = torch.autograd.grad(logits.gather(1, found.target[:, None]).sum(), maps)
    heat = sum(gradient[:, k].mean((1, 2))[:, None, None] * maps[:, k] for k in range(8)).relu()
    heat = F.interpolate(heat[:, None], size=(16, 16), mode="bilinear", align_corners=False)[:, 0]
    torch.testing.assert_close(found.heat, heat / heat.amax((1, 2), keepdim=True))


@pytest.mark.parametrize("name", ["vgg_tiny", "densenet_tiny", "cifar_plain8", "cifar_preact_resnet8"])
def test_other_families_have_maps_too(name):
    torch.manual_seed(0)
    spec = model_spec(name)
    found = grad_cam(build(spec), torch.randn(1, spec.in_channels, 32, 32))
    assert found.heat.shape == (1, 32, 32)
    assert 0 <= float(found.heat.min()) <= float(found.heat.max()) <= 1


def test_the_check_tells_heat_from_elsewhere():
    images = torch.stack([_spot(0, 2, 2), _spot(1, 3, 4), _spot(2, 1, 1)])
    found = look("explain", Bright(), 40 * images, torch.tensor([0, 1, -1]), classes=["red", "green", "blue"])
    assert found.values["mean_drop_hottest"] > 0.3
    assert found.values["mean_drop_elsewhere"] == pytest.approx(0, abs=1e-6)
    assert "fail" not in found.sentence
    assert [row[1:4] for row in found.rows] == [
        ("red", "red", "red"),
        ("green", "green", "green"),
        (None, "blue", "blue"),
    ]
    assert found.rows[0][5:8] == (2, 2, 16 / 256)
    picture = found.panels[0].surface.picture
    assert (len(picture), len(picture[0]), len(picture[0][0])) == (16, 16, 3)


def test_maps_that_fail_their_own_test_say_so_first():
    """Nothing is on this image: wherever pixels are hidden, the answer stays."""
    found = look("explain", Bright(), torch.zeros(1, 3, 16, 16), torch.tensor([0]))
    assert found.values["mean_drop_hottest"] == found.values["mean_drop_elsewhere"]
    assert found.sentence.startswith("The maps fail their own test")


def test_a_label_can_be_explained_instead_of_the_answer():
    images = torch.stack([_spot(0, 2, 3) + 0.5 * _spot(1, 10, 9)])
    found = look("explain", Bright(), images, torch.tensor([1]), of="label")
    assert found.rows[0][2:4] == ("0", "1")
    assert found.rows[0][5:7] == (10, 9)
    with pytest.raises(UsageError, match="not known"):
        look("explain", Bright(), images, torch.tensor([-1]), of="label")


def test_the_model_is_afterwards_as_before():
    torch.manual_seed(0)
    model = build(model_spec("cifar_resnet8", widths=[4, 6, 8])).train().requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    look("explain", model, torch.randn(2, 3, 8, 8), torch.tensor([0, 1]))
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(m._forward_hooks for m in model.modules())
    assert not any(p.requires_grad or p.grad is not None for p in model.parameters())


def test_what_has_no_maps_is_refused():
    with pytest.raises(UsageError, match="no maps"):
        grad_cam(build(model_spec("vit_digits")), torch.randn(1, 1, 8, 8))
    image = torch.randn(1, 3, 32, 32)
    with pytest.raises(UsageError, match="no layer 'unt'; did you mean 'unit'"):
        grad_cam(Bright(), image, layer="unt")
    with pytest.raises(UsageError, match="no maps"):
        grad_cam(Bright(), image, layer="fc")
    with pytest.raises(UsageError, match="explains images"):
        look("explain", Bright(), torch.randn(1, 3, 4, 8, 8), torch.tensor([0]))
