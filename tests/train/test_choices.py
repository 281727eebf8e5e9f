"""What is trained where nobody says: by the facts about the data, and what the user's own words change of it."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from residua.data.facts import Facts, facts_of, read_facts
from residua.errors import UsageError
from residua.loading import create_model
from residua.spec import DataSpec
from residua.train import fit
from residua.train.choices import Choice, choose
from residua.train.lengths import TUNING_UPDATES, UPDATES
from residua.weights.model_files import save_model

PHOTOS = Facts(
    kind="folder", counts={"train": (54, 54, 54, 54), "test": (15,) * 4}, sides=(32, 64, 100, 140, 200)
)


def chosen(facts: Facts = PHOTOS, **said) -> Choice:
    return choose(facts, **{"threads": 2, "weights": "random", **said})


def changed(**facts) -> Facts:
    return dataclasses.replace(PHOTOS, **facts)


@pytest.mark.parametrize(
    ("facts", "model", "size", "batch"),
    [
        (PHOTOS, "cifar_resnet20", 64, 8),  # not ResNet-18 at 224 px for some hundred photos on a CPU
        (changed(sides=(500, 600, 700)), "cifar_resnet20", 64, 8),
        (changed(sides=(64,), side=64), "cifar_resnet20", 64, 8),
        (changed(sides=(28,), side=28), "cifar_resnet20", 28, 8),
        (changed(sides=(20, 24, 30)), "cifar_resnet20", 32, 8),
        (changed(counts={"train": (1000, 1000)}), "cifar_resnet20", 48, 64),
        (changed(counts={"train": (500, 500)}), "cifar_resnet20", 48, 32),
        (changed(counts={"train": (3, 4)}), "cifar_resnet20", 64, 7),
        (changed(kind="cifar10", shape=(3, 32, 32)), "cifar_resnet20", None, 64),
        (changed(kind="digits", channels=1, shape=(1, 8, 8)), "cifar_resnet8", None, 64),
    ],
)
def test_network_size_and_batch_follow_from_the_images(monkeypatch, facts, model, size, batch):
    monkeypatch.setattr("residua.train.speed.instruction_set", lambda _: "avx2")
    choice = chosen(facts)
    assert (choice.model.name, choice.image_size, choice.recipe.batch_size) == (model, size, batch)
    assert choice.model.num_classes == len(facts.counts["train"])


def test_a_gpu_takes_the_photos_in_their_own_size():
    choice = chosen(device="cuda")
    assert (choice.model.name, choice.image_size) == ("resnet18", 96)


@pytest.mark.parametrize("images", [1, 100, 1_000, 1_000_000])
def test_there_are_enough_steps_whatever_the_number_of_images(images):
    choice = chosen(changed(counts={"train": (images, images)}))
    assert choice.steps >= UPDATES
    assert choice.recipe.batch_size <= 2 * images
    assert choice.recipe.epochs >= 20


def test_what_the_user_says_is_not_chosen_and_has_no_reason():
    said = chosen(recipe_changes={"batch_size": 8, "lr": 0.3}, image_size=32, model="resnet18")
    assert (said.recipe.batch_size, said.recipe.lr, said.image_size) == (8, 0.3, 32)
    assert said.model.name == "resnet18"
    assert {reason.what for reason in said.reasons} == {"epochs", "backoff", "patience"}


def test_few_epochs_are_the_users_own_and_change_no_network():
    few = chosen(recipe_changes={"epochs": 3})
    assert (few.model, few.image_size, few.recipe.epochs) == (chosen().model, chosen().image_size, 3)
    assert str(few.reasons[-1]) == f"steps 81: as asked for, where at least {UPDATES} are wanted"


@pytest.mark.parametrize(
    ("train", "balance"),
    [
        ((60, 60), 0.0),
        ((60, 21), 0.0),
        ((90, 30), 1.0),
        ((500, 20, 400), 1.0),
        ((60, 50, 1), 0.0),
        ((216,), 0.0),
    ],
)
def test_classes_of_unlike_numbers_are_balanced_but_not_by_one_of_a_few_images(train, balance):
    recipe = chosen(changed(counts={"train": train})).recipe
    assert (recipe.task.balance if recipe.task else 0.0) == balance


@pytest.mark.parametrize(("val", "patience"), [(0, None), (24, None), (99, None), (100, 10)])
def test_training_stops_early_where_enough_validation_images_say_so(val, patience):
    choice = chosen(changed(counts={"train": (500, 500), "val": (val,)}))
    assert choice.recipe.patience == patience
    assert f"{val} validation images" in next(r.why for r in choice.reasons if r.what == "patience")


def test_a_recipe_that_is_named_is_taken_as_it_is():
    named = chosen(recipe="quick")
    assert (named.recipe.epochs, named.recipe.batch_size, named.recipe.lr) == (20, 64, 0.1)


def test_images_get_the_size_that_a_network_of_one_size_takes():
    assert chosen(model="vit_ti_32").image_size == 224
    assert chosen(changed(sides=(300,)), model="resnet18").image_size == 224


def test_every_choice_has_its_reason_as_json():
    choice = chosen()
    told = json.loads(json.dumps(choice.to_dict()))
    assert {reason["what"] for reason in told["reasons"]} >= {
        "network",
        "image_size",
        "batch_size",
        "lr",
        "epochs",
    }
    assert all(reason["why"] for reason in told["reasons"])


@pytest.fixture
def photos(tmp_path):
    random = np.random.default_rng(0)
    for name, level in (("bright", 200), ("dark", 60)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(20):
            height, width = random.integers(32, 120, 2)
            pixels = np.clip(random.normal(level, 30, (height, width, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


def test_facts_are_read_without_decoding_and_are_those_of_the_loaded_data(photos):
    seen = read_facts(DataSpec.of(photos))
    assert seen is not None
    assert (seen.counts["train"], seen.channels, len(seen.sides)) == ((14, 14), 3, 40)
    assert 32 <= seen.sides[0] <= seen.sides[-1] < 120
    from residua.data import load_data

    assert facts_of(load_data(photos)).counts == seen.counts
    assert read_facts(DataSpec.of("digits")) is None


def test_a_run_of_a_folder_keeps_what_was_chosen_and_why(photos, tmp_path):
    how = {
        "data": photos,
        "weights": "random",
        "run_dir": tmp_path / "run",
        "limit_batches": 1,
        "progress": False,
    }
    run = fit(**how, recipe_changes={"epochs": 1})
    assert run.data["image_size"] == run.data_spec.image_size == 48
    assert run.recipe.batch_size == 8
    assert any(reason.startswith("image size 48 px: half of the images") for reason in run.plan.reasons)
    with pytest.raises(UsageError, match=r"recipe\.epochs is 1 there, 2 is asked for"):
        fit(**how, resume_if_exists=True, recipe_changes={"epochs": 2})


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    """A file in the place of the bundled network's."""
    about = {"classes": ["a", "b"], "shape": [3, 32, 32], "mean": [0.5] * 3, "std": [0.25] * 3}
    save_model(tmp_path / "bundled.safetensors", create_model("cifar_resnet20", num_classes=2), about)
    for module in ("residua.weights.bundled", "residua.train.choices"):
        monkeypatch.setattr(f"{module}.FILE", tmp_path / "bundled.safetensors")


def test_a_few_colour_photos_start_from_the_bundled_network(bundled):
    choice = chosen(weights=None)
    assert (choice.weights, choice.model.name, choice.image_size) == ("bundled", "cifar_resnet20", 32)
    assert (choice.recipe.name, choice.recipe.batch_size, choice.model.num_classes) == ("finetune", 16, 4)
    assert choice.steps >= TUNING_UPDATES
    assert str(choice.reasons[0]) == "weights bundled: 216 images are few to learn from random weights"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (changed(channels=1), {}),
        (changed(counts={"train": (5000, 5000)}), {}),
        (changed(counts={"train": (216,)}), {}),  # numbers, no classes
        (changed(kind="cifar10", shape=(3, 32, 32)), {}),
        (PHOTOS, {"weights": "random"}),
        (PHOTOS, {"model": "cifar_resnet8"}),
        (PHOTOS, {"recipe": "quick"}),
        (PHOTOS, {"image_size": 48}),
    ],
)
def test_others_and_what_the_user_says_do_not(bundled, facts, said):
    assert chosen(facts, **{"weights": None, **said}).weights is None


def test_a_run_that_starts_from_the_bundled_network_goes_on_from_its_own_folder(bundled, photos, tmp_path):
    how = {"data": photos, "run_dir": tmp_path / "run", "limit_batches": 1, "progress": False}
    run = fit(**how, recipe_changes={"epochs": 1})
    assert run.plan.reasons[0].startswith("weights bundled: ")
    assert run.env["weights"] is not None
    assert run.data["mean"] == [0.5] * 3
    again = fit(**how, resume_if_exists=True, recipe_changes={"epochs": 1})
    assert again.path == run.path
