import pytest
import torch

from residua.errors import UsageError
from residua.registry import build, model_spec


@pytest.mark.parametrize("head", ["aspp", "fcn"])
@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
def test_a_class_for_every_pixel(head, size):
    model = build(model_spec("segmenter_tiny", head=head))
    logits = model(torch.randn(2, 1, *size))
    assert logits.shape == (2, 11, *size)
    logits.square().mean().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_the_backbone_is_dilated():
    maps = build(model_spec("segmenter_tiny")).backbone(torch.randn(1, 1, 32, 32))
    assert [tuple(m.shape) for m in maps] == [(1, 64, 16, 16)]


def test_a_training_batch_of_one_image_is_refused_where_it_has_no_variance():
    x = torch.randn(1, 1, 32, 32)
    model = build(model_spec("segmenter_tiny"))
    with pytest.raises(UsageError, match="training needs two images"):
        model(x)
    assert model.eval()(x).shape == (1, 11, 32, 32)
    assert build(model_spec("segmenter_tiny", head="fcn"))(x).shape == (1, 11, 32, 32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output_stride": 3}, r"output_stride must be one of \[1, 2, 4\], not 3"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\)"),
        ({"rates": [2, 0]}, "rates must be above 0"),
        ({"backbone": "vit_b_16"}, "has no key 'output_stride'"),
    ],
)
def test_what_cannot_be(changes, message):
    with pytest.raises(UsageError, match=message):
        model_spec("segmenter_tiny", **changes)
