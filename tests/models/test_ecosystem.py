"""Code written for torchvision's and timm's networks, on residua's: their own functions, not imitations."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from residua import create_model
from residua.nn.features import features
from residua.nn.fpn import FeaturePyramid
from residua.registry import families

TINY = [family.tiny for family in families().values() if family.tiny and "features" in family.capabilities]


@pytest.fixture(scope="module")
def detection(peers):
    from torchvision.models import detection

    return detection


@pytest.mark.parametrize("name", TINY)
def test_torchvision_extracts_features(peers, name):
    from torchvision.models._utils import IntermediateLayerGetter
    from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

    model = create_model(name).eval()
    x = torch.randn(2, *model.spec.usual_input)
    levels = [info["module"] for info in model.feature_info]
    assert all(any(node.startswith(level) for node in get_graph_node_names(model)[1]) for level in levels)
    wanted, seen = create_feature_extractor(model, levels).eval()(x), {}
    for level in levels:
        model.get_submodule(level).register_forward_hook(
            lambda _, __, y, level=level: seen.update({level: y})
        )
    expected = model.forward_features(x)
    assert all(torch.equal(wanted[level], seen[level]) for level in levels)
    assert torch.equal(IntermediateLayerGetter(model, {"tail": "out"})(x)["out"], expected)


def test_torchvision_gets_the_layers_between(peers):
    from torchvision.models._utils import IntermediateLayerGetter

    backbone = create_model("cifar_resnet8", features_only=True).eval()
    x = torch.randn(2, 3, 32, 32)
    series = nn.Sequential(OrderedDict(stem=backbone.stem, **dict(backbone.stages.named_children())))
    found = IntermediateLayerGetter(series, {"0": "c2", "2": "c4"})(x)
    c2, _, c4 = backbone(x)
    assert torch.equal(found["c2"], c2)
    assert torch.equal(found["c4"], c4)


def _pictures():
    generator = torch.Generator().manual_seed(0)
    images = [torch.rand(3, *size, generator=generator) for size in ((60, 64), (50, 55))]
    boxes = torch.tensor([[5.0, 5.0, 30.0, 30.0]])
    return images, [{"boxes": boxes, "labels": torch.tensor([1])} for _ in images]


def test_faster_rcnn_stands_on_a_pyramid(detection):
    """Proposals and pooled regions need torchvision's C++ operators, which are missing here: up to them."""
    pyramid = FeaturePyramid(create_model("cifar_resnet8", features_only=True), 16, top="pool")
    sizes = tuple((size,) for size in (8, 16, 32, 64))
    anchors = detection.anchor_utils.AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 4)
    model = detection.FasterRCNN(
        pyramid, num_classes=3, rpn_anchor_generator=anchors, min_size=64, max_size=80
    )
    images, _ = model.transform(*_pictures())
    maps = model.backbone(images.tensors)
    assert model.roi_heads.box_roi_pool.featmap_names == list(maps) == ["0", "1", "2", "3"]
    scores, boxes = model.rpn.head(list(maps.values()))
    side = images.tensors.shape[-2:]
    assert [tuple(s.shape) for s in scores] == [(2, 3, side[0] // n, side[1] // n) for n in (1, 2, 4, 8)]
    assert sum(s[0].numel() for s in scores) == len(
        model.rpn.anchor_generator(images, list(maps.values()))[0]
    )
    assert all(box.shape[1] == 12 for box in boxes)


@pytest.mark.parametrize("name", ["RetinaNet", "FCOS"])
def test_detectors_of_one_stage_learn(detection, name):
    backbone = features(create_model("cifar_resnet8"), (3, 4))
    sizes = tuple((size,) for size in (8, 16, 32, 64))
    anchors = detection.anchor_utils.AnchorGenerator(sizes, ((1.0,),) * 4)
    pyramid = FeaturePyramid(backbone, 32, top="conv")  # its norms have 32 groups
    model = getattr(detection, name)(
        pyramid, num_classes=3, anchor_generator=anchors, min_size=64, max_size=80
    )
    losses = model(*_pictures())
    torch.stack([*losses.values()]).sum().backward()
    assert all(loss.isfinite() for loss in losses.values())
    assert all(p.grad is not None and p.grad.any() for p in backbone.parameters())


@pytest.mark.parametrize("name", TINY)
def test_timm_decays_the_learning_rate_by_layer(peers, name):
    from timm.optim import create_optimizer_v2

    model = create_model(name)
    optimizer = create_optimizer_v2(model, opt="sgd", lr=0.1, weight_decay=0.1, layer_decay=0.5)
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    scale = {key: groups[id(p)]["lr_scale"] for key, p in model.named_parameters()}
    in_order = [scale[key] for key in scale]
    assert in_order == sorted(in_order), "the deeper a layer, the faster it learns"
    assert len(set(in_order)) >= 3
    assert scale["head.fc.weight"] == 1 > in_order[0]
    for key in model.no_weight_decay():
        assert groups[id(model.get_parameter(key))]["weight_decay"] == 0


def test_timm_reads_the_configuration_and_counts_features_alike(peers):
    timm = peers.import_timm()
    ours, theirs = create_model("resnet18"), timm.create_model("resnet18")
    config = timm.data.resolve_model_data_config(ours)
    assert {key: config[key] for key in ("input_size", "mean", "std")} == {
        "input_size": (3, 224, 224),
        "mean": timm.data.IMAGENET_DEFAULT_MEAN,
        "std": timm.data.IMAGENET_DEFAULT_STD,
    }
    assert (ours.num_features, ours.num_classes) == (theirs.num_features, theirs.num_classes)
    for indices in ((1, 2), (-1,)):
        ours = create_model("resnet18", features_only=True, out_indices=indices).feature_info
        # timm counts the stem as its first level
        shifted = [index + 1 if index >= 0 else index for index in indices]
        theirs = timm.create_model("resnet18", features_only=True, out_indices=shifted).feature_info
        assert (ours.channels(), ours.reduction()) == (theirs.channels(), theirs.reduction())
