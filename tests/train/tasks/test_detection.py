import dataclasses

import pytest
import torch
import torch.nn.functional as F

from residua.data import load_data
from residua.data.sources.scenes import COUNTS
from residua.errors import UsageError
from residua.nn.anchor_free import locations
from residua.registry import build, model_spec
from residua.spec import Recipe
from residua.train.plan import Request, make_plan
from residua.train.task import make_task, measure
from residua.train.tasks.detection import assign, centerness_of, focal, loss_of, targets_of


def test_locations_learn_the_box_that_they_are_in_the_middle_of():
    points, strides = locations([(8, 8), (4, 4)], (4, 8))  # 32 px
    boxes = torch.tensor([[[4.0, 4, 12, 12], [0, 0, 32, 32], [0, 0, 0, 0]]])
    labels, found = assign(points, strides, boxes, torch.tensor([[7, 3, -1]]), reach=4)
    fine, coarse = labels[0, :64].view(8, 8), labels[0, 64:].view(4, 4)
    # farthest side of the small box: 6 px, within 4 strides of 4; those of the large one are 16 and more
    assert (fine == 7).nonzero().tolist() == [[y, x] for y in (1, 2) for x in (1, 2)]
    assert (fine[fine != 7] == -1).all()
    # within 1.5 strides (12 px) of the centre at 16: cells centred at 4, 12, 20, 28, less than 12 px away
    assert (coarse == 3).nonzero().tolist() == [[y, x] for y in (1, 2) for x in (1, 2)]
    assert (found[0, :64][fine.flatten() == 7] == boxes[0, 0]).all()


def test_of_two_boxes_the_smaller_and_none_beyond_its_sides():
    points, strides = locations([(4, 4)], (4,))
    boxes = torch.tensor([[[0.0, 0, 16, 16], [4, 4, 10, 10]]])
    labels, _ = assign(points, strides, boxes, torch.tensor([[0, 1]]), reach=1)  # one level: no limits
    expected = torch.full((4, 4), -1)
    expected[1:3, 1:3] = torch.tensor([[1, 0], [0, 0]])
    expected[1, 1] = expected[1, 2] = expected[2, 1] = 0
    inside = [(y, x) for y in range(4) for x in range(4) if 4 < 4 * y + 2 < 10 and 4 < 4 * x + 2 < 10]
    assert inside == [(1, 1)]  # 6, 6; the next is at 10, which is the side and no longer inside
    expected[1, 1] = 1
    assert torch.equal(labels.view(4, 4), expected)


def test_a_picture_without_boxes_is_background():
    points, strides = locations([(4, 4)], (4,))
    labels, _ = assign(points, strides, torch.zeros(1, 3, 4), torch.full((1, 3), -1), reach=4)
    assert (labels == -1).all()


def test_pictures_with_no_room_for_a_box_are_background():
    points, strides = locations([(4, 4)], (4,))
    labels, boxes = assign(points, strides, torch.zeros(2, 0, 4), torch.zeros(2, 0).long(), reach=4)
    assert (labels == -1).all()
    assert boxes.shape == (2, 16, 4)


def test_every_location_learns_the_box_that_a_loop_finds():
    """The rules of sec. 3.1 and 3.2, one location and one box at a time."""
    generator = torch.Generator().manual_seed(0)
    points, strides = locations([(16, 16), (8, 8), (4, 4)], (4, 8, 16))
    corner = 48 * torch.rand(6, 5, 2, generator=generator)
    boxes = torch.cat((corner, corner + 2 + 40 * torch.rand(6, 5, 2, generator=generator)), 2)
    truth = torch.randint(-1, 4, (6, 5), generator=generator)
    labels, found = assign(points, strides, boxes, truth, reach=2)
    for image in range(6):
        for place, ((x, y), stride) in enumerate(zip(points.tolist(), strides.tolist(), strict=True)):
            low, high = {4: (0, 8), 8: (8, 16), 16: (16, 1e9)}[stride]  # twice the strides of the levels
            fitting = []
            for (x0, y0, x1, y1), label in zip(boxes[image].tolist(), truth[image].tolist(), strict=True):
                sides = (x - x0, y - y0, x1 - x, y1 - y)
                off = max(abs(x - (x0 + x1) / 2), abs(y - (y0 + y1) / 2))
                if label >= 0 and min(sides) > 0 and off < 1.5 * stride and low < max(sides) <= high:
                    fitting.append(((x1 - x0) * (y1 - y0), label, x0))
            _, label, left = min(fitting, default=(0, -1, None))
            assert labels[image, place] == label
            assert left is None or found[image, place, 0] == pytest.approx(left)
    assert 20 < int((labels >= 0).sum()) < labels.numel() / 2


def test_centerness_by_hand():
    points = torch.tensor([[5.0, 5], [2, 5], [0, 5]])
    got = centerness_of(points, torch.tensor([[0.0, 0, 10, 10]] * 3))
    assert torch.allclose(got, torch.tensor([1, (2 / 8) ** 0.5, 0]))


def test_focal_loss_is_its_formula():
    logits = torch.linspace(-4, 4, 9, dtype=torch.double)
    p = logits.sigmoid()
    assert torch.allclose(focal(logits, torch.ones(9).double()), -0.25 * (1 - p) ** 2 * p.log())
    assert torch.allclose(focal(logits, torch.zeros(9).double()), -0.75 * p**2 * (1 - p).log())


@pytest.fixture(scope="module", autouse=True)
def few():
    with pytest.MonkeyPatch.context() as patch:
        for name in COUNTS:
            patch.setitem(COUNTS, name, 8)
        yield


@pytest.fixture(scope="module")
def task(few):
    torch.manual_seed(0)
    model = build(model_spec("detector_tiny"))
    data = load_data("scenes:boxes")
    recipe = Recipe(lr=1e-3, optimizer="adamw", batch_size=4)
    plan = make_plan(Request(precision="float32", compile="off", threads=1, device="cpu"), model, 1, 1)
    return make_task(model, recipe, plan, data), next(data.train_batches(recipe, seed=0).epoch(0))


def test_perfect_predictions_cost_little_and_are_all_found(task):
    detection, batch = task
    network = detection.network
    labels, boxes = targets_of(network, batch)
    logits = torch.full((*labels.shape, 10), -12.0)
    logits[labels >= 0] = torch.where(F.one_hot(labels[labels >= 0], 10).bool(), 12.0, -12.0)
    points, _ = detection.network.locations(batch.images)
    center = centerness_of(points.repeat(len(labels), 1), boxes.flatten(0, 1)).view(labels.shape).logit(1e-4)
    rows = torch.cat((logits, boxes, center[..., None]), 2)
    floor = -(
        center.sigmoid() * center.sigmoid().log() + (1 - center.sigmoid()) * (1 - center.sigmoid()).log()
    )
    assert float(loss_of(network, rows, batch)) == pytest.approx(float(floor[labels >= 0].mean()), abs=1e-3)
    worse = rows.clone()
    worse[..., 10:14] += 3
    assert loss_of(network, worse, batch) > loss_of(network, rows, batch) + 0.1

    class Oracle(torch.nn.Module):
        spec = detection.network.spec
        locations = detection.network.locations

        def __init__(self):
            super().__init__()
            self.unused = torch.nn.Linear(1, 1)

        def forward(self, images):
            return rows

    oracle = make_task(Oracle(), detection.recipe, detection.plan, load_data("scenes:boxes"))
    figures, _ = measure(oracle, [batch])
    assert figures["average_precision"] == pytest.approx(1)


def test_a_batch_without_boxes_teaches_the_background_alone(task):
    detection, batch = task
    detection.network.zero_grad()
    empty = dataclasses.replace(batch, labels=torch.full_like(batch.labels, -1))
    loss = loss_of(detection.network, detection.network(batch.images), empty)
    loss.backward()
    assert 0 < loss.item() < 10
    head = detection.network.head
    assert head.logits.weight.grad.abs().max() > 0
    assert head.distances.weight.grad.abs().max() == head.centerness.weight.grad.abs().max() == 0
    assert all(p.grad.isfinite().all() for p in detection.network.parameters() if p.grad is not None)
    figures = measure(detection, [empty])[0]
    assert figures["average_precision"] == 0
    detection.network.zero_grad()


def test_steps_lower_the_loss_and_the_next_evaluation_starts_afresh(task):
    detection, batch = task
    first = float(detection.step(batch, 0.0)["loss"])
    for _ in range(15):
        last = float(detection.step(batch, 0.0)["loss"])
    assert last < 0.8 * first
    once = measure(detection, [batch])[0]
    assert measure(detection, [batch])[0] == once
    assert set(once) == {"loss", "average_precision", "average_precision_50"}


def test_other_data_are_refused(task):
    detection, _ = task
    for source in ("digits", "scenes:masks"):
        with pytest.raises(UsageError, match=f"detector_tiny learns from boxes; {source} has none"):
            make_task(detection.network, detection.recipe, detection.plan, load_data(source))
