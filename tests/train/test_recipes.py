"""The table of recipes: notes with evidence that is there, and what the fast ones promise of images seen."""

from pathlib import Path

import pytest

from residua.spec import Recipe
from residua.train.recipe_notes import NOTES
from residua.train.recipes import RECIPES, recipe

ROOT = Path(__file__).parents[2]


def test_every_recipe_has_a_note_and_what_it_names_is_there():
    assert [*NOTES] != [] and NOTES.keys() == RECIPES.keys()
    for note in NOTES.values():
        assert note.suits
        assert note.source
        assert not note.evidence or (ROOT / note.evidence).exists(), note.evidence


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_read_back_as_it_is(name):
    assert Recipe.from_dict(RECIPES[name].to_dict()) == RECIPES[name]


def test_fast_sees_a_tenth_of_the_papers_images():
    paper = recipe("he2015-cifar")
    steps = RECIPES["fast"].epochs * (45_000 // RECIPES["fast"].batch_size)  # a tenth of 50,000 is held out
    share = steps * RECIPES["fast"].batch_size / (paper.iterations * paper.batch_size)
    assert 0.095 < share <= 0.1


def test_ffcvs_three_lengths_peak_at_the_second_epoch():
    for epochs in (16, 32, 88):
        one = RECIPES[f"leclerc2023-imagenet-{epochs}"]
        assert one.epochs == epochs
        assert one.lr * one.lr_factor(2 / epochs) == pytest.approx(1.7 * one.batch_size / 4096)
        assert one.lr_factor(0) == pytest.approx(1e-4)
        assert one.task.label_smoothing == 0.1
