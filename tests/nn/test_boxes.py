import pytest
import torch

from residua.nn.boxes import area, generalized_iou, nms, pairwise_iou


def random_boxes(*shape, generator):
    corner = 40 * torch.rand(*shape, 2, generator=generator, dtype=torch.double)
    return torch.cat((corner, corner + 1 + 20 * torch.rand(*shape, 2, generator=generator)), -1)


def test_area_and_overlap_by_hand():
    boxes = torch.tensor([[0.0, 0, 4, 2], [2, 0, 6, 2], [9, 9, 10, 10], [3, 3, 1, 5]])
    assert area(boxes).tolist() == [8, 8, 1, 0]
    overlap = pairwise_iou(boxes[:1], boxes)
    assert torch.allclose(overlap, torch.tensor([[1, 4 / 12, 0, 0]]))


def test_generalized_iou_by_hand():
    first = torch.tensor([[0.0, 0, 4, 2]] * 3)
    second = torch.tensor([[0.0, 0, 4, 2], [2, 0, 6, 2], [6, 0, 8, 2]])
    # the same; 4/12 in a hull of 12 that they fill; apart, in a hull of 16 of which they fill 12
    assert torch.allclose(generalized_iou(first, second), torch.tensor([1, 4 / 12, -4 / 16]))


def greedy(boxes, scores, labels, threshold):
    """Non-maximum suppression as it is told: the best stays and removes what overlaps it; then the next."""
    left, stays = sorted(range(len(scores)), key=lambda i: (-scores[i], i)), set()
    while left:
        best = left.pop(0)
        stays.add(best)
        left = [
            i
            for i in left
            if labels[i] != labels[best] or pairwise_iou(boxes[[best]], boxes[[i]]).item() <= threshold
        ]
    return [i in stays for i in range(len(scores))]


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.6])
def test_nms_is_greedy_and_takes_all_images_at_once(threshold):
    generator = torch.Generator().manual_seed(0)
    boxes = random_boxes(20, 30, generator=generator)
    scores = torch.randint(0, 20, (20, 30), generator=generator).double()  # with ties
    labels = torch.randint(0, 2, (20, 30), generator=generator)
    stays = nms(boxes, scores, labels, threshold)
    assert 0.2 < stays.float().mean() < 0.99
    for image in range(20):
        expected = greedy(boxes[image], scores[image].tolist(), labels[image].tolist(), threshold)
        assert stays[image].tolist() == expected


def test_a_box_that_went_removes_nothing():
    """A chain: the first removes the second, so the third stays, although the second overlaps it."""
    boxes = torch.tensor([[0.0, 0, 10, 4], [4, 0, 14, 4], [8, 0, 18, 4]])
    scores, labels = torch.tensor([0.9, 0.8, 0.7]), torch.zeros(3, dtype=torch.long)
    assert nms(boxes, scores, labels, 0.4).tolist() == [True, False, True]
    assert nms(boxes, scores, torch.tensor([0, 1, 0]), 0.4).tolist() == [True, True, True]


def test_nms_of_nothing():
    nothing = torch.zeros(2, 0)
    assert nms(torch.zeros(2, 0, 4), nothing, nothing.long(), 0.5).shape == (2, 0)
