import pytest
import torch

from residua.errors import UsageError
from residua.nn import BranchOnly, residual_units
from residua.nn.anchor_free import detections, locations
from residua.registry import build, model_spec


def tiny(**changes):
    torch.manual_seed(0)
    return build(model_spec("detector_tiny", **changes)).eval()


def test_locations_by_hand():
    points, strides = locations([(1, 2), (1, 1)], (4, 8))
    assert points.tolist() == [[2, 2], [6, 2], [4, 4]]
    assert strides.tolist() == [4, 4, 8]


@pytest.mark.parametrize("size", [(64, 64), (64, 33), (47, 50)])
def test_a_row_for_each_location_of_each_level(size):
    model, x = tiny(), torch.randn(2, 1, *size)
    rows, (points, strides) = model(x), model.locations(x)
    assert rows.shape == (2, len(points), 10 + 5)
    assert model.strides == (2, 4)
    assert (points >= 0).all()
    assert (points - strides[:, None] / 2 < torch.tensor([size[1], size[0]])).all()


def test_boxes_are_distances_from_their_location():
    model, x = tiny(), torch.randn(1, 1, 32, 32)
    torch.nn.init.zeros_(model.head.distances.weight)
    model.head.distances.bias.data = torch.tensor([1.0, 2.0, 3.0, 4.0]).log()
    boxes = model(x)[0, :, 10:14]
    points, strides = model.locations(x)
    sides = torch.cat((points - boxes[:, :2], boxes[:, 2:] - points), 1)
    assert torch.allclose(sides, strides[:, None] * torch.tensor([1.0, 2, 3, 4]), atol=1e-4)


def test_detections_by_hand():
    rows = torch.full((1, 4, 2 + 5), -9.0)
    rows[0, :, 2:6] = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [-5, 20, 12, 90], [0, 0, 1, 1]])
    rows[0, :, 6] = 9  # all in their centres
    rows[0, 0, 0], rows[0, 1, 0], rows[0, 2, 1] = 3, 4, 2
    found = detections(rows, (40, 30))
    assert found.labels[0, :3].tolist() == [0, 0, 1]
    kept = found.scores[0] > 0
    assert kept.tolist() == [
        True,
        False,
        True,
        *[False] * 5,
    ]  # the overlapped one and what is not sure are gone
    assert found.boxes[0, kept].tolist() == [[1, 0, 11, 10], [0, 20, 12, 40]]  # cut at the edges
    expected = torch.tensor([4.0, 2.0]).sigmoid().sqrt() * torch.tensor(9.0).sigmoid().sqrt()
    assert torch.allclose(found.scores[0, kept], expected)


def test_an_untrained_detector_takes_everything_for_background():
    assert tiny().detect(torch.randn(2, 1, 64, 64)).scores.max() < 0.1  # sqrt(0.01 * 0.5) is 0.07


def test_without_residuals_and_with_drop_path():
    units = residual_units(tiny(merge="branch_only")).values()
    assert len(units) == 3
    assert all(isinstance(unit.merge, BranchOnly) for unit in units)
    rates = [unit.drop_path.rate for unit in residual_units(tiny(drop_path=0.3)).values()]
    assert rates == pytest.approx([0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "cifar_resnet9"}, "depth 9 is not 6n"),
        (
            {"backbone": "detector_tiny"},
            "a detector stands on a classifier of images, not on 'detector_tiny'",
        ),
        ({"backbone": "sngan_tiny"}, "a detector stands on a classifier of images, not on 'sngan_tiny'"),
        ({"backbone": "r3d_tiny"}, "a detector stands on a classifier of images, not on 'r3d_tiny'"),
        ({"backbone": "vgg_tiny", "drop_path": 0.1}, "VGGSpec.drop_path must be a number"),
        ({"backbone": "resnet5O"}, "unknown model 'resnet5O'; did you mean"),
        ({"tower": -1}, "tower cannot be negative"),
        ({"width": 0}, "width must be above 0"),
        ({"num_classes": 0}, "num_classes must be above 0"),
    ],
)
def test_what_cannot_be(changes, message):
    with pytest.raises(UsageError, match=message):
        model_spec("detector_tiny", **changes)


@pytest.mark.parametrize("backbone", ["vgg_tiny", "densenet_tiny", "wrn_10_1", "cifar_preact_resnet8"])
def test_every_classifier_with_stages_carries_it(backbone):
    model = tiny(backbone=backbone, levels=[3])
    assert model(torch.randn(2, 1, 64, 64)).shape[2] == 10 + 5


def test_no_images_and_images_that_are_too_small():
    assert tiny().detect(torch.randn(0, 1, 64, 64)).boxes.shape == (0, 100, 4)
    for size in ((1, 1), (64, 3)):
        with pytest.raises(UsageError, match="at least 4 px here"):
            tiny()(torch.randn(1, 1, *size))


def test_levels_that_the_backbone_lacks():
    with pytest.raises(UsageError, match="the levels of cifar_resnet8 are 2 to 4"):
        build(model_spec("detector_tiny", levels=[3, 4, 5]))
