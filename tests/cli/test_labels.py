"""``residua labels``: trains again, fold by fold, goes on where it was, and refuses in a line."""

import csv
import json

import numpy as np
import pytest
from PIL import Image


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


def test_folds_begin_from_what_comes_with_the_package_as_the_run_did(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(8):
            pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    shortly = ("--epochs", "1", "--limit-batches", "1", "--threads", "1", "--run-dir", "run")
    trained = command("train", "photos", "--weights", "bundled", *shortly)
    assert trained.code == 0, trained.err
    answer = command("labels", "run", "--folds", "2")
    assert answer.code == 0, answer.err
    assert "--weights" not in answer.err
    envs = [json.loads(path.read_text()) for path in (tmp_path / "run").glob("**/env.json")]
    assert len(envs) == 3 and len({env["weights"] for env in envs}) == 1 and envs[0]["weights"]
