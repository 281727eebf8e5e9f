"""Which task trains what; a task of one's own; and the recipes of version 0.1."""

import json
from pathlib import Path

import pytest

from residua import parts
from residua.errors import ResiduaError, UsageError
from residua.evaluation import evaluate
from residua.registry import families, model_spec
from residua.runs.folder import RunFolder
from residua.spec import Recipe
from residua.train import fit, recipe
from residua.train.optimizers.adamw import AdamW
from residua.train.optimizers.sgd import SGD
from residua.train.schedules.cosine import Cosine
from residua.train.schedules.step import Step
from residua.train.task import task_of
from residua.train.tasks.classification import Classification
from residua.train.tasks.language import Language
from residua.train.tasks.regression import Regression
from residua.train.tasks.segmentation import Segmentation

OWN = '''
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from residua.parts import register
from residua.spec import Metric, TaskSpec
from residua.train.supervised import Supervised


@register
@dataclass(frozen=True, kw_only=True)
class Margin(TaskSpec):
    """The right class ahead of every other one by a margin (Crammer & Singer 2001)."""

    kind: ClassVar[str] = "margin"
    primary: ClassVar[Metric] = Metric("accuracy", "max", ".2%")
    networks: ClassVar[str] = "classification"  # whose networks it trains
    answers: ClassVar[str] = "classes"

    margin: float = 1.0

    def make(self, network, recipe, plan, data):
        def learn(batch):
            images, labels = batch[:2]
            logits = network(images).float()
            loss = F.multi_margin_loss(logits, labels, margin=self.margin)
            hits, count = (logits.argmax(1) == labels).sum(), torch.tensor(len(labels))
            return loss, {"loss": loss.detach() * count, "accuracy": hits, "count": count}

        return Supervised(
            network, recipe, plan, primary=self.primary, loss=learn, evaluate=lambda batch: learn(batch)[1]
        )
'''


def test_a_task_of_ones_own_trains_evaluates_and_is_missed_without_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_parts", {**parts._parts, "task": dict(parts.parts("task"))})
    exec(OWN, {"__name__": "own"})
    run = fit(
        "cifar_resnet8",
        run_dir=tmp_path / "run",
        threads=1,
        progress=False,
        limit_batches=8,
        recipe_changes={"epochs": 2, "task": "margin(margin=0.5)"},
    )
    assert run.recipe.to_dict()["task"] == {"kind": "margin", "margin": 0.5}
    assert evaluate(run, limit=8).top1 == pytest.approx(run.result["test_accuracy"], abs=0.2)
    del parts._parts["task"]["margin"]
    with pytest.raises(ResiduaError, match=r"unknown task 'margin'.* named with --with FILE"):
        run.recipe  # noqa: B018


def test_every_family_has_a_task_that_trains_it():
    for family in families().values():
        spec = next(iter(family.named.values()))
        assert task_of(spec, {}).kind == family.task


def test_the_recipe_decides_before_the_data_and_the_data_before_the_family():
    network, numbers = model_spec("cifar_resnet8"), {"task": "regression"}
    assert task_of(network, {}) == Classification()
    assert task_of(network, numbers) == Regression()
    assert task_of(network, {}, Recipe()) == Classification()
    assert task_of(network, numbers, recipe("quick", task="regression(2)")) == Regression(huber=2.0)
    with pytest.raises(UsageError, match="made for language, which the task 'regression' does not train"):
        task_of(model_spec("transformer_tiny"), numbers)


def old(**values):
    """A recipe.json of version 0.1, in full."""
    usual = {"optimizer": "sgd", "momentum": 0.9, "beta2": 0.999, "nesterov": False, "schedule": "step"}
    usual |= {"milestones": [], "gamma": 0.1, "label_smoothing": 0.0, "pad": None, "flip": None}
    return {"schema": 1, "name": "old", "epochs": 3, "lr": 0.2, **usual, **values}


def run_of(folder, model, recipe):
    """A folder that reads as a run's."""
    tables = {"spec": model_spec(model).to_dict(), "recipe": recipe, "plan": {}, "data": {}, "env": {}}
    for name, table in tables.items():
        (folder / f"{name}.json").write_text(json.dumps(table))
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.safetensors").touch()
    return RunFolder(folder)


@pytest.mark.parametrize(
    ("values", "part", "now"),
    [
        ({"momentum": 0.8, "nesterov": True, "beta2": 0.5}, "optimizer", SGD(momentum=0.8, nesterov=True)),
        ({"optimizer": "adamw", "momentum": 0.0, "beta2": 0.9}, "optimizer", AdamW(beta1=0.0, beta2=0.9)),
        ({"milestones": [0.5], "gamma": 0.2}, "schedule", Step(milestones=(0.5,), gamma=0.2)),
        ({"schedule": "cosine", "milestones": [0.5], "gamma": 0.2}, "schedule", Cosine()),
        ({}, "task", None),
        ({"label_smoothing": 0.1}, "task", Classification(label_smoothing=0.1)),
    ],
)
def test_a_recipe_of_version_0_1_is_read_less_what_it_ignored(values, part, now):
    read = Recipe.from_dict(old(**values))
    assert getattr(read, part) == now
    assert (read.name, read.epochs, read.lr, read.schema) == ("old", 3, 0.2, 2)
    assert Recipe.from_dict(read.to_dict()) == read


@pytest.mark.parametrize(
    ("model", "task"),
    [
        ("segmenter_tiny", Segmentation(label_smoothing=0.1)),
        ("transformer_tiny", Language()),
        ("cifar_resnet8", Classification(label_smoothing=0.1)),
    ],
)
def test_a_run_of_version_0_1_has_the_task_of_its_family(tmp_path, model, task):
    assert run_of(tmp_path, model, old(label_smoothing=0.1)).recipe.task == task


@pytest.mark.parametrize(
    "values",
    [
        {"optimizer": "adam"},
        {"schedule": ["step"]},
        {"momentum": "x"},
        {"optimizer": None},
        {"milestones": 3},
    ],
)
def test_a_damaged_recipe_of_version_0_1_is_one_line(tmp_path, values):
    run = run_of(tmp_path, "cifar_resnet8", old(**values))
    with pytest.raises(ResiduaError, match=r"recipe.json is damaged: [^\n]*$"):
        run.recipe  # noqa: B018


def test_committed_recipes_of_version_0_1_are_read():
    results = Path(__file__).parents[2] / "benchmarks" / "results"
    found = [json.loads(path.read_text()) for path in results.rglob("recipe.json")]
    assert found
    assert {Recipe.from_dict(values).schema for values in found} == {2}


@pytest.mark.parametrize(
    ("changes", "part", "now"),
    [
        ({"momentum": 0.8}, "optimizer", SGD(momentum=0.8, nesterov=True)),
        ({"optimizer": "adamw", "beta2": 0.9}, "optimizer", AdamW(beta2=0.9)),
        ({"schedule": "step", "milestones": [0.5]}, "schedule", Step(milestones=(0.5,))),
        ({"label_smoothing": 0.1}, "task", Classification(label_smoothing=0.1)),
        ({"task": {"label_smoothing": 0.1}}, "task", Classification(label_smoothing=0.1)),
        ({"task": "regression", "task.huber": 2}, "task", Regression(huber=2.0)),
    ],
)
def test_names_of_version_0_1_change_the_part_that_has_them(changes, part, now):
    assert getattr(recipe("quick", **changes), part) == now
