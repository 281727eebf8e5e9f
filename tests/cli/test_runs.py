"""``residua runs``: the list and the comparison."""

import json
import shutil

import pytest

from residua.files import locked


def test_no_runs_yet(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = command("runs")
    assert (answer.code, answer.err) == (0, "")
    assert "residua train" in answer.out
    assert command("runs", "--json").json["runs"] == []
    assert list(tmp_path.iterdir()) == []


def test_a_finished_run_is_a_line(command, run):
    (row,) = command("runs", "--json").json["runs"]
    result = json.loads((run / "result.json").read_text())
    assert (row["run"], row["state"], row["data"], row["seed"]) == ("first", "complete", "digits", 0)
    assert (row["test"], row["epochs"]) == (result["test_accuracy"], 2)
    header, line = command("runs").out.splitlines()
    assert header.split()[:3] == ["run", "state", "outcome"]
    assert line.split()[:2] == ["first", "complete"]


def test_the_state_of_a_run_that_is_not_complete(command, unfinished):
    with locked(unfinished):
        assert command("runs", "--json").json["runs"][0]["state"] == "running"
    assert command("runs", "--json").json["runs"][0]["state"] == "interrupted"


def test_a_comparison_shows_what_differs(command, run):
    other = shutil.copytree(run, run.parent / "other")
    plan = json.loads((other / "plan.json").read_text()) | {"threads": 2}
    (other / "plan.json").write_text(json.dumps(plan))
    answer = command("runs", "first", "other", "--json").json
    assert answer["differences"] == {"plan.threads": [1, 2]}
    assert "plan.threads" in command("runs", "first", "other").out


@pytest.mark.parametrize("name", ["spec", "recipe", "data", "env", "result", "metrics"])
def test_one_damaged_run_does_not_hide_the_others(command, run, name):
    bad = shutil.copytree(run, run.parent / "bad")
    file = next(bad.glob(f"{name}.json*"))
    file.write_text("[1]\n")
    shutil.copytree(run, run.parent / "half")
    (run.parent / "half" / "env.json").unlink()  # no run folder any more
    (run.parent / "a file").touch()
    answer = command("runs", "--json")
    assert answer.code == 0
    rows = {row["run"]: row for row in answer.json["runs"]}
    assert {name: row["state"] for name, row in rows.items()} == {"bad": "damaged", "first": "complete"}
    assert str(file) in rows["bad"]["error"]
    assert answer.err.count("\n") == 1
    assert str(file) in command("runs", "bad").refused(1)
    assert "damaged" in command("runs").out


def test_what_is_no_run(command, run):
    assert "no run 'absent'" in command("runs", "absent").refused(2)
    assert "not a run folder" in command("runs", run / "checkpoints").refused(2)


def test_runs_are_chosen_and_sorted(command, run):
    for name, accuracy in (("good", 0.9), ("better", 0.95)):
        other = shutil.copytree(run, run.parent / name)
        result = json.loads((other / "result.json").read_text())
        (other / "result.json").write_text(json.dumps(result | {"test_accuracy": accuracy}))
    half = shutil.copytree(run, run.parent / "half")
    (half / "result.json").unlink()

    def listed(*arguments):
        return [row["run"] for row in command("runs", *arguments, "--json").json["runs"]]

    assert listed("--sort", "test") == ["first", "good", "better", "half"]
    assert listed("--sort", "test", "--reverse") == ["better", "good", "first", "half"]
    assert listed("--filter", "test>=0.9", "--filter", "run!=good") == ["better"]
    assert command("runs", "--filter", "seed=77").out == "no run fulfils the filter\n"
    assert "did you mean 'test'" in command("runs", "--filter", "tset>1").refused(2)
    assert "unknown key 'accuracy'" in command("runs", "--sort", "accuracy").refused(2)


def test_the_keys_of_filter_are_those_of_a_row(command, run):
    from residua.cli.runs import _KEYS

    (row,) = command("runs", "--json").json["runs"]
    assert tuple(row) == _KEYS
