"""He et al. 2015: detection, localisation and segmentation (Tables 7 to 13), beside small nets on scenes of digits."""

from __future__ import annotations

from residua.experiments import Arm, Experiment, PublishedRow
from residua.experiments.rules import greater
from residua.experiments.scales import Settings, not_judged, quick

_NEEDS = "it was measured on PASCAL VOC, COCO and ImageNet with Faster R-CNN on networks trained on ImageNet"
_CAVEAT = (
    "Small networks with a backbone of 20 layers, trained from scratch on scenes of digits, stand beside ResNet-101 "
    "against VGG-16, both trained on ImageNet before: the protocols have nothing in common but the question."
)
_BACKBONE = {"backbone": "cifar_resnet20"}


def _settings(model: str, source: str, measure: str, text: str) -> Settings:
    return quick(
        (
            Arm("residual backbone", model, changes=_BACKBONE),
            Arm("plain backbone", f"{model}_plain", changes=_BACKBONE),
        ),
        {text: greater(measure, "residual backbone", "plain backbone", smallest=0.02)},
        recipe="scenes",
        epochs=2,
        batch_size=8,
        source=source,
    ) | not_judged(_NEEDS)


def _rows(table: str, keys: tuple[str, ...], *models: str) -> tuple[PublishedRow, ...]:
    return tuple(PublishedRow(table, model, key) for model in models for key in keys)


EXPERIMENTS = (
    Experiment(
        id="he2015/detection",
        title="Detection with and without residuals in the backbone",
        zh="目标检测：骨干网络带残差与不带残差",
        claims=("X15",),
        where="He et al. 2015, sec. 4.3 and appendices A to C, Tables 7 to 13",
        settings=_settings(
            "detector_tiny",
            "scenes:boxes",
            "test_average_precision",
            "the detector on a residual backbone has the higher average precision",
        ),
        measures=("test_average_precision", "test_average_precision_50", "diverged"),
        published=(
            *_rows("he2015.t7", ("voc07_test_map", "voc12_test_map"), "VGG-16", "ResNet-101"),
            *_rows("he2015.t8", ("map_50", "map_50_95"), "VGG-16", "ResNet-101"),
            *_rows(
                "he2015.t9", ("testdev_map_50", "testdev_map_50_95"), "+ multi-scale testing", "ensemble of 3"
            ),
            *_rows("he2015.t10_11", ("voc07", "voc12"), "baseline+++ ResNet-101 (COCO pre-training)"),
            *_rows("he2015.t12", ("test",), "GoogLeNet (ILSVRC'14)", "ResNet-101 ensemble (ILSVRC'15)"),
            *_rows("he2015.t13", ("err_gt_class",), "VGG's VGG-16", "RPN ResNet-101"),
            *_rows("he2015.t13", ("top5_loc_err",), "RPN+RCNN ensemble"),
        ),
        caveats=(
            _CAVEAT,
            "Published figures of Table 13 are errors, the others mean average precisions in percent.",
        ),
    ),
    Experiment(
        id="he2015/segmentation",
        title="Segmentation with and without residuals in the backbone",
        zh="语义分割：骨干网络带残差与不带残差",
        claims=("X15",),
        where="He et al. 2015, abstract (COCO segmentation, first place)",
        settings=_settings(
            "segmenter_tiny",
            "scenes:masks",
            "test_mean_iou",
            "the segmenter on a residual backbone has the higher mean intersection over union",
        ),
        measures=("test_mean_iou", "test_pixel_accuracy", "diverged"),
        caveats=(_CAVEAT, "The paper names the first place in COCO segmentation and prints no figure of it."),
    ),
)
