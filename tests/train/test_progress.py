import importlib.util
import io
import sys

import pytest

from residua.train import fit
from residua.train.progress import Bar, Lines, Progress, clock, make_progress, summary

LINE = {
    "event": "epoch",
    "epoch": 2,
    "step": 30,
    "train_loss": 0.5,
    "train_accuracy": 0.75,
    "val_accuracy": 0.5,
}


def test_an_epoch_in_words():
    assert summary(LINE) == "epoch 3  loss 0.500  accuracy 0.750  val 0.500"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (60, "1:00 min"), (3599.6, "1:00 h"), (7800, "2:10 h")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_lines_show_the_time_left_and_always_the_last_epoch(capsys, monkeypatch):
    now = iter([0.0, 0.0, 3.0, 3.5, 4.0])
    monkeypatch.setattr("residua.train.progress.time.monotonic", lambda: next(now))
    lines = Lines()
    lines.start(0, 60, 10)
    lines.epoch(LINE)
    lines.epoch({**LINE, "epoch": 3, "step": 40})  # half a second later: not shown
    lines.epoch({**LINE, "epoch": 5, "step": 60})
    shown = capsys.readouterr().err.splitlines()
    assert shown[0] == "60 steps, 6 epochs"
    assert shown[1].endswith("3 s left")
    assert [line.split("  ")[0] for line in shown[1:]] == ["epoch 3", "epoch 6"]


def test_what_is_shown_follows_the_terminal():
    assert type(make_progress(False)) is Progress
    assert isinstance(make_progress(True), Lines)  # pytest's stderr is no terminal
    mine = Progress()
    assert make_progress(mine) is mine


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="TensorBoard is not installed")
def test_tensorboard_gets_the_figures_of_each_epoch(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = fit(
        run_dir=tmp_path / "run", threads=1, progress=False, limit_batches=2, recipe_changes={"epochs": 3}
    )
    events = EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    assert [event.value for event in events.Scalars("accuracy/val")] == pytest.approx(
        [line["val_accuracy"] for line in run.metrics("epoch")]
    )


def test_a_terminal_that_was_closed_ends_no_training(monkeypatch):
    class Closed(io.StringIO):
        def isatty(self):
            return True

        def write(self, text):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stderr", Closed())
    bar = make_progress(True)
    assert isinstance(bar, Bar)
    bar.start(0, 10, 5)
    bar.step(1)
    bar.note("said")
    bar.epoch({"epoch": 0, "step": 5, "train_loss": 1.0})
    bar.stop()


@pytest.mark.parametrize("terminal", [False, True])
def test_a_name_in_a_note_is_no_command_to_the_terminal(monkeypatch, terminal):
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    shown = make_progress(True)
    shown.note("cat\x1b[2J\nresidua: \udcff")
    shown.stop()
    assert "cat\\u001b[2J\\nresidua: \\udcff\n" in stream.getvalue()
