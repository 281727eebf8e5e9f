"""``residua labels``: trains again, fold by fold, goes on where it was, and refuses in a line."""

import csv
import json

import pytest


def test_suspected_labels_are_listed_shown_and_kept(command, run):
    answer = command("labels", run, "--folds", "2", "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    assert (found["images"], found["folds"]) == (1293, 2) and 0 <= found["accuracy"] <= 1
    with (run / "labels" / "suspects.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [int(row["image"]) for row in rows] == [row["image"] for row in found["suspects"]]
    page = (run / "labels" / "suspects.html").read_text()
    assert page.count("<img") == min(len(rows), 200)
    folds = sorted(run.glob("labels/fold*/env.json"))
    assert len(folds) == 2
    assert command("labels", run, "--folds", "2").code == 0
    assert all(
        len(json.loads(fold.read_text())["sessions"]) == 1 for fold in folds
    )  # nothing is trained again


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "there is no run"),
        (("first", "--folds", "1"), "folds are 2 to 20, not 1"),
        (("first", "--weights", "nothing.safetensors"), "nothing.safetensors"),
    ],
)
def test_what_cannot_be_asked_is_one_line(command, run, arguments, said):
    assert said in command("labels", *arguments).refused(2)
    assert not (run / "labels").exists()
