"""Hand-worked cases, and a reference that follows the definition word by word."""

import numpy as np
import pytest
import torch

from residua.nn.boxes import pairwise_iou
from residua.train.tasks.average_precision import THRESHOLDS, average_precision, match

BOX = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]])


def one(boxes, scores, labels, true_boxes, true_labels, classes=2):
    return match(
        torch.as_tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(scores, dtype=torch.float32),
        torch.tensor(labels, dtype=torch.long),
        true_boxes,
        torch.tensor(true_labels, dtype=torch.long),
        classes,
    )


def test_the_thresholds_are_cocos():
    assert pytest.approx([0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]) == THRESHOLDS


def test_everything_found_and_nothing_found():
    assert average_precision([one(BOX, [0.9, 0.8, 0.7], [0, 1, 1], BOX, [0, 1, 1])]).tolist() == [1] * 10
    assert average_precision([one([], [], [], BOX, [0, 1, 1])]).tolist() == [0] * 10
    assert average_precision([one([], [], [], BOX[:0], [])]).tolist() == [0] * 10


def test_one_of_two_found_behind_a_false_alarm_by_hand():
    # order: false alarm, hit. precision 0, 1/2; recall 0, 1/2: 1/2 at the 51 levels from 0 to 0.5, 0 beyond
    found = one(torch.cat((BOX[2:], BOX[:1])), [0.9, 0.8], [0, 0], BOX[:2], [0, 0], classes=1)
    assert average_precision([found])[0].item() == pytest.approx(0.5 * 51 / 101, abs=1e-12)
    # the hit first: precision 1 up to recall 1/2
    found = one(torch.cat((BOX[2:], BOX[:1])), [0.8, 0.9], [0, 0], BOX[:2], [0, 0], classes=1)
    assert average_precision([found])[0].item() == pytest.approx(51 / 101, abs=1e-12)


def test_the_levels_of_recall_are_those_of_cocos_program():
    """7 of 20 boxes, no false alarm: its level 0.35 is 0.35000000000000003, which a recall of 7 / 20 does not reach."""
    corner = torch.arange(20.0)[:, None] * torch.tensor([20.0, 0])
    boxes = torch.cat((corner, corner + 10), 1)
    found = one(boxes[:7], [0.9] * 7, [0] * 7, boxes, [0] * 20, classes=1)
    assert average_precision([found])[0].item() == pytest.approx(35 / 101, abs=1e-12)


def test_a_box_is_found_once():
    found = one(BOX[[0, 0]], [0.9, 0.8], [0, 0], BOX[:1], [0])
    assert found.hits.tolist() == [[True] * 10, [False] * 10]


def test_the_overlap_decides_at_which_thresholds_a_box_is_found():
    # 10 x 7.5 inside 10 x 10: IoU 0.75, a hit at 0.5 to 0.75, the last included
    found = one([[0, 0, 10, 7.5]], [0.9], [0], BOX[:1], [0], classes=1)
    assert found.hits.tolist() == [[True] * 6 + [False] * 4]
    assert average_precision([found]).mean().item() == pytest.approx(0.6)


def test_a_detection_takes_the_box_it_overlaps_most_among_those_left():
    truths = torch.tensor([[0.0, 0, 10, 10], [0, 1, 10, 11]])
    found = one([[0, 1, 10, 11], [0, 0.5, 10, 10.5]], [0.9, 0.8], [0, 0], truths, [0, 0])
    assert found.hits[:, 0].tolist() == [True, True]  # the first took the second box, the first box was left


def test_classes_do_not_mix_and_absent_classes_do_not_count():
    found = one(BOX[:2], [0.9, 0.8], [1, 0], BOX[:2], [0, 0], classes=5)
    assert found.hits.any(1).tolist() == [False, True]
    assert average_precision([found])[0].item() == pytest.approx(51 / 101)  # one of two; class 1 has no boxes


def reference(images, classes, threshold):
    """AP by loops over plain numbers: every class, every detection, every level of recall."""
    of_classes = []
    for c in range(classes):
        total, flags = 0, []
        for boxes, scores, labels, true_boxes, true_labels in images:
            truths = [i for i in range(len(true_labels)) if true_labels[i] == c]
            total += len(truths)
            mine = sorted((i for i in range(len(labels)) if labels[i] == c), key=lambda i: -scores[i])
            for i in mine:
                overlaps = {
                    j: pairwise_iou(boxes[[i]].double(), true_boxes[[j]].double()).item() for j in truths
                }
                best = max(overlaps, key=overlaps.__getitem__, default=None)
                hit = best is not None and overlaps[best] >= threshold
                if hit:
                    truths.remove(best)
                flags.append((float(scores[i]), hit))
        if not total:
            continue
        flags.sort(key=lambda f: -f[0])
        points, right = [], 0
        for n, (_, hit) in enumerate(flags, 1):
            right += hit
            points.append((right / total, right / n))
        levels = [max((p for r, p in points if r >= level), default=0) for level in np.linspace(0, 1, 101)]
        of_classes.append(sum(levels) / 101)
    return sum(of_classes) / len(of_classes)


def test_it_is_the_reference_on_random_detections():
    generator = torch.Generator().manual_seed(0)
    images = []
    for _ in range(25):
        count = int(torch.randint(0, 6, (), generator=generator))
        corner = 40 * torch.rand(count, 2, generator=generator)
        true_boxes = torch.cat((corner, corner + 8 + 12 * torch.rand(count, 2, generator=generator)), 1)
        true_labels = torch.randint(0, 3, (count,), generator=generator)
        # near the truth, some of another class, and some that find nothing
        near = true_boxes.repeat(3, 1) + 2 * torch.randn(3 * count, 4, generator=generator)
        labels = torch.where(torch.rand(3 * count, generator=generator) < 0.8, true_labels.repeat(3), 2)
        images.append((near, torch.rand(3 * count, generator=generator), labels, true_boxes, true_labels))
    got = average_precision([match(*image, classes=4) for image in images])
    assert got.dtype == torch.float64
    expected = [reference(images, 4, threshold) for threshold in THRESHOLDS]
    assert expected[0] > 0.3 > 0.01 > expected[-1] - 0.05
    assert got.tolist() == pytest.approx(expected, abs=1e-12)
