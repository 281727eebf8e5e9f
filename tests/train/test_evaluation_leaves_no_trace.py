"""What a network remembers of an evaluation (positions, masks, a kernel) is fit for training.

In torch's inference mode it would not be: "Inference tensors cannot be saved for backward" ended trainings that went
on after a look at the network. Nothing in residua uses that mode; it saves no time that can be measured here.
"""

import pytest
import torch

from residua.analysis.gradient import gradient_norms
from residua.data import load_data
from residua.data.sources.scenes import COUNTS
from residua.evaluation.outputs import read_outputs
from residua.nn import residual_units
from residua.registry import build, families, model_spec
from residua.spec import Recipe
from residua.train import judge
from residua.train.defaults import default_source
from residua.train.plan import Request, make_plan
from residua.train.task import make_task


@pytest.fixture(autouse=True)
def few(monkeypatch):
    for name in COUNTS:
        monkeypatch.setitem(COUNTS, name, 8)
    monkeypatch.setattr(judge, "_RECIPE", judge._RECIPE.change(iterations=2))


def remembering(name, **changes):
    """The network, whose first unit makes a tensor at its first use and keeps it."""
    torch.manual_seed(0)
    model, kept = build(model_spec(name, **changes)), {}

    def remember(_module, _args, output):
        return output * kept.setdefault("scale", torch.ones_like(output[:1]))

    next(iter(residual_units(model).values())).branch.register_forward_hook(remember)
    return model, kept


TINY = {family.task: family.tiny for family in families().values()}


@pytest.mark.parametrize("kind", TINY)
def test_a_training_goes_on_after_an_evaluation(kind):
    source = default_source(TINY[kind])
    data = load_data(source)
    model, kept = remembering(TINY[kind], **data.model_changes())
    plan = make_plan(Request(precision="float32", compile="off", threads=1, device="cpu"), model, 1, 1)
    recipe = Recipe(lr=1e-3, batch_size=8)
    task = make_task(model, recipe, plan, data)
    task.evaluate(next(iter(data.eval_batches("test", 8))))
    assert kept
    task.step(next(iter(data.train_batches(recipe, seed=0).epoch(0))), 0.0)
    tensors = [t for network in task.networks.values() for t in (*network.parameters(), *network.buffers())]
    assert not any(tensor.is_inference() for tensor in (*tensors, *kept.values()))


def test_gradients_are_taken_after_a_pass_over_the_images():
    data = load_data("digits")
    model, kept = remembering("cifar_resnet8", in_channels=1)
    read_outputs(model, data, "test", batch_size=8, limit=1)
    assert kept
    images, labels, _ = next(iter(data.eval_batches("test", 8)))
    assert all(unit.norm > 0 for unit in gradient_norms(model.train(), images, labels))
