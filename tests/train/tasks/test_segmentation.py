import pytest
import torch

from residua.data import load_data
from residua.data.sources.scenes import COUNTS
from residua.errors import UsageError
from residua.registry import build, model_spec
from residua.spec import Recipe
from residua.train.plan import Request, make_plan
from residua.train.task import make_task
from residua.train.tasks.segmentation import confusion, mean_iou


def test_confusion_by_hand():
    true = torch.tensor([[0, 0, 1], [2, 2, 2]])
    predicted = torch.tensor([[0, 1, 1], [2, 0, 2]])
    assert confusion(predicted, true, 4).tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]]


def test_mean_iou_by_hand():
    matrix = torch.tensor([[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]])
    assert mean_iou(matrix) == pytest.approx((1 / 3 + 1 / 2 + 2 / 3) / 3)  # the fourth class does not occur


def test_it_is_over_all_pixels_and_not_a_mean_over_images():
    """The usual mistake: an image without a class then counts as if the class had been missed, or not at all."""
    generator = torch.Generator().manual_seed(0)
    true = torch.randint(0, 3, (4, 8, 8), generator=generator)
    true[0] = 0
    predicted = torch.where(torch.rand(4, 8, 8, generator=generator) < 0.7, true, 0)
    whole = mean_iou(confusion(predicted, true, 3))
    expected = [
        ((predicted == c) & (true == c)).sum() / ((predicted == c) | (true == c)).sum() for c in range(3)
    ]
    assert whole == pytest.approx(float(sum(expected)) / 3, abs=1e-6)
    assert mean_iou(sum(confusion(p, t, 3) for p, t in zip(predicted, true, strict=True))) == whole


def test_steps_lower_the_loss_and_other_data_are_refused(monkeypatch):
    for name in COUNTS:
        monkeypatch.setitem(COUNTS, name, 8)
    torch.manual_seed(0)
    model = build(model_spec("segmenter_tiny"))
    data, recipe = load_data("scenes:masks"), Recipe(lr=1e-2, optimizer="adamw", batch_size=4)
    plan = make_plan(Request(precision="float32", compile="off", threads=1, device="cpu"), model, 1, 1)
    task = make_task(model, recipe, plan, data)
    batch = next(data.train_batches(recipe, seed=0).epoch(0))
    losses = [float(task.step(batch, 0.0)["loss"]) for _ in range(12)]
    assert losses[-1] < 0.5 * losses[0]
    sums = task.evaluate(batch)
    assert sums["confusion"].sum() == 4 * 64 * 64
    figures = task.metrics({name: value.double() for name, value in sums.items()})
    matrix = sums["confusion"]
    assert figures["pixel_accuracy"] == pytest.approx(float(matrix.diagonal().sum() / matrix.sum()))
    assert figures["mean_iou"] == mean_iou(matrix)
    for source in ("digits", "scenes:boxes"):
        with pytest.raises(UsageError, match=f"segmenter_tiny learns from masks; {source} has none"):
            make_task(model, recipe, plan, load_data(source))
