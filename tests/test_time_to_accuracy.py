"""The benchmark accuracy: which trainings it asks for, and what its page says of them."""

from __future__ import annotations

import argparse
import json

import pytest
from benchmarks import front_door, time_to_accuracy
from benchmarks.time_to_accuracy import CELLS, QUICK_CELLS, measure, table

from residua.errors import UsageError


def asked(*tokens):
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    time_to_accuracy.options(parser)
    return parser.parse_args(tokens)


def point(recipe, share, seed, accuracy, seconds):
    return {
        "recipe": recipe,
        "share": share,
        "seed": seed,
        "images_seen": round(share * 1_000),
        "test_accuracy": accuracy,
        "val_accuracy": accuracy,
        "seconds": seconds,
    }


POINTS = [
    point("he2015-cifar", 1.0, 0, 0.90, 1_000.0),
    point("fast", 0.1, 0, 0.89, 100.0),
    point("fast", 0.2, 0, 0.91, 190.0),
    point("fast", 0.2, 1, 0.90, 210.0),
]


def test_the_ratio_is_of_the_cheapest_point_that_reaches_the_paper():
    assert time_to_accuracy._ratio(POINTS) == pytest.approx(1_000 / 200)
    assert time_to_accuracy._ratio(POINTS[1:]) is None  # the paper's recipe was not trained in full
    assert time_to_accuracy._ratio(POINTS[:2]) is None  # nothing reaches it


def test_the_table_has_a_row_for_each_share_with_the_spread_over_seeds():
    lines = table({"model": "net", "papers_images": 1_000, "points": POINTS, "class": "none"})
    assert lines[-1] == "| fast | 0.2 | 200 | 90.50 % | 0.71 | 90.50 % | 200 | 2 |"
    assert lines[-3] == "| he2015-cifar | 1 | 1,000 | 90.00 % |  | 90.00 % | 1,000 | 1 |"


@pytest.mark.parametrize("cell", [*CELLS, *QUICK_CELLS])
def test_every_cell_names_a_recipe_and_a_share(cell):
    name, share = time_to_accuracy._cell(cell)
    assert 0 < share <= 1
    assert cell == f"{name}:{share:g}"


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("fast", "RECIPE:SHARE"),
        ("fast:much", "RECIPE:SHARE"),
        ("fast:-1", "RECIPE:SHARE"),
        ("fats:1", "fast"),
    ],
)
def test_a_wrong_cell_is_one_line(cell, says):
    with pytest.raises(UsageError, match=says):
        measure(asked("--quick", "--cells", cell))


def test_without_images_it_says_what_to_name():
    with pytest.raises(UsageError, match="--images PATH"):
        measure(asked())


def test_a_run_goes_on_where_it_stands_and_no_path_is_stored(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(front_door, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(time_to_accuracy, "FIGURE", tmp_path / "results" / "time_to_accuracy")
    monkeypatch.setattr(time_to_accuracy, "PAPERS_IMAGES", 100 * 128)
    tokens = ["run", "accuracy", "--images", "digits", "--model", "cifar_resnet8", "--seeds", "1", "--json"]
    tokens += ["--runs", str(tmp_path / "runs"), "--cells", "he2015-cifar:0.2", "fast:0.1"]
    assert front_door.main(tokens) == 0
    first = json.loads(capsys.readouterr().out)
    assert [one["images_seen"] for one in first["points"]] == [20 * 128, 10 * 128]
    assert str(tmp_path) not in json.dumps(first)
    made = [path.name for path in (tmp_path / "results" / "time_to_accuracy").iterdir()]
    assert sorted(made) == [f"{first['class']}.json", f"{first['class']}.svg"]
    monkeypatch.setattr("residua.train.fitting.lead", None)  # nothing is trained again
    assert front_door.main(tokens) == 0
    assert json.loads(capsys.readouterr().out)["points"] == first["points"]
