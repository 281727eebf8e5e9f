import json

import pytest

from residua.report import curves as room
from residua.report import read_run
from residua.report.translation import translator
from residua.spec import Recipe

T = translator("en")


@pytest.fixture
def charts(monkeypatch):
    """What was drawn: title -> (series, options)."""
    drawn = {}

    def draw(series, *, title, **options):
        drawn[title] = ({item.label: item for item in series}, options)
        return ""

    monkeypatch.setattr(room, "line_chart", draw)
    return drawn


def test_the_first_epoch_is_the_first_and_the_test_stands_at_the_last(make_run, charts):
    run = read_run(make_run("a", epochs=3, train_accuracy=0.9, test_accuracy=0.8))
    assert room.curves([("a", run)], T, note="curves_note")
    series, _ = charts["Error by epoch"]
    training, validation, test = series.values()
    assert training.x == validation.x == [1, 2, 3]
    assert training.y[-1] == pytest.approx(10) and (training.line, validation.line) == ("dashed", "solid")
    assert (test.x, test.marker) == ([3], "star") and test.y == pytest.approx([20])


def test_over_each_other_a_run_has_one_colour_and_one_name(make_run, charts):
    runs = [(name, read_run(make_run(name, epochs=2))) for name in ("a", "b")]
    assert room.curves(runs, T, note="overlay_note")
    series, _ = charts["Loss by epoch"]
    assert {label: item.colour for label, item in series.items() if label} == {"a": 0, "b": 1}


def test_without_validation_the_training_curve_carries_the_name(make_run, charts):
    runs = [(name, read_run(make_run(name, epochs=2, val_accuracy=None))) for name in ("a", "b")]
    assert room.curves(runs, T, note="overlay_note")
    assert {"a", "b"} <= set(charts["Error by epoch"][0])


def test_a_wide_range_of_losses_has_a_logarithmic_axis(make_run, charts):
    for accuracy, log in ((0.999, True), (0.5, False)):
        room.schedule([("a", read_run(make_run(f"a{log}", train_accuracy=accuracy)))], T)
        assert charts["Training loss by step"][1]["log"] is log


def test_the_rate_is_drawn_from_the_lines_that_state_it_more_often(make_run, charts):
    path = make_run(epochs=2)
    room.schedule([("a", read_run(path))], T)
    assert charts.pop("Learning rate by step")[0]["a"].x == list(range(1, 23))
    assert charts.pop("Training loss by step")[0]["a"].x == list(range(1, 23))
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    few = [line for line in lines if line["event"] == "epoch" or line["step"] == 5]
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in few))
    room.schedule([("a", read_run(path))], T)
    assert charts["Learning rate by step"][0]["a"].x == [11, 22]
    assert "Training loss by step" not in charts  # one point says less than the curve by epoch


def test_the_rate_of_every_step_is_drawn_where_the_log_agrees(make_run, restate, charts):
    """A short run logs few steps: its warm-up would not be seen."""
    schedule = {"schema": 2, "lr": 0.5, "schedule": {"kind": "linear"}, "warmup": 0.5, "log_every": 50}
    run = make_run("a", epochs=2, recipe=schedule)
    recipe = Recipe.from_dict(schedule)
    rates = [0.5 * recipe.lr_factor(step / 22) for step in range(22)]
    lines = [{"event": "epoch", "epoch": e, "step": 11 * e + 11, "lr": rates[(11, 21)[e]]} for e in range(2)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    room.schedule([("a", read_run(run))], T)
    drawn = charts["Learning rate by step"][0]["a"]
    assert drawn.x == [*range(1, 23)] and drawn.y == rates
    lines[0]["lr"] = 0.123  # the run was extended: the rates were others
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    room.schedule([("a", read_run(run))], T)
    drawn = charts["Learning rate by step"][0]["a"]
    assert drawn.x == [11, 22] and drawn.y[0] == 0.123
