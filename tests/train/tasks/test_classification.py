"""Classes of unlike numbers: their weights in the loss, and the accuracy in which each counts alike."""

import numpy as np
import pytest
import torch
from torch import nn

from residua.data import load_data
from residua.errors import UsageError
from residua.evaluation.metrics import figures
from residua.loading import create_model
from residua.train.plan import Request, make_plan
from residua.train.recipes import recipe
from residua.train.task import make_task, measure
from residua.train.tasks.classification import Classification
from residua.train.tasks.cross_entropy import class_weights


class Fixed(nn.Module):
    """Gives its input as logits."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, logits):
        return self.scale * logits


def plan_here():
    return make_plan(Request(device="cpu", threads=1), nn.Identity(), 1.0, 1.0)


def test_weights_are_the_inverse_of_the_numbers_with_a_mean_of_one_over_the_images():
    digits = load_data("digits")
    counts = np.bincount(digits.train.labels)
    weights = class_weights(digits, 1.0, "cpu").numpy()
    np.testing.assert_allclose(weights * counts, (weights * counts)[0], rtol=1e-5)
    assert (weights * counts).sum() == pytest.approx(counts.sum(), rel=1e-5)
    half = class_weights(digits, 0.5, "cpu").numpy()
    np.testing.assert_allclose(half / half[0], np.sqrt(weights / weights[0]), rtol=1e-5)
    assert class_weights(digits, 0.0, "cpu") is None


def test_a_recipe_trains_with_them_and_a_wrong_power_is_refused():
    data = load_data("digits")
    network = create_model("cifar_resnet8", num_classes=10, in_channels=1)
    plain, weighed = (
        make_task(network, recipe("digits", **{"task.balance": power}), plan_here(), data)
        for power in (0.0, 1.0)
    )
    batch = next(iter(data.train_batches(recipe("digits"), seed=0).epoch(0)))
    network.eval()
    losses = [task._loss(batch)[0].item() for task in (plain, weighed)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.1)  # the digits are nearly balanced
    with pytest.raises(UsageError, match=r"balance must be in \[0, 1\], not 2"):
        Classification(balance=2.0)


def test_balanced_accuracy_counts_every_class_alike_in_training_and_evaluation():
    logits = torch.eye(3)[[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]] * 3  # everything is called the first class
    labels = torch.tensor([0] * 8 + [1] * 2)
    digits = load_data("digits")
    task = Classification().make(Fixed(), recipe("quick"), plan_here(), digits)
    measured, count = measure(task, [(logits[:7], labels[:7]), (logits[7:], labels[7:])])
    assert count == 10
    assert measured["accuracy"] == pytest.approx(0.8)
    assert measured["balanced_accuracy"] == pytest.approx(0.5)  # of the two classes that there are
    told = figures(torch.log_softmax(logits, 1).double().numpy(), labels.numpy(), ("a", "b", "c"))
    assert told["balanced_accuracy"] == pytest.approx(0.5)
