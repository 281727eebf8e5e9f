"""Trackers: what each is told, that a resumed run is followed on, and that none costs a training."""

import importlib.util
import json
import os
from typing import ClassVar

import pytest

from residua import parts
from residua.errors import ResiduaError, UsageError
from residua.spec import Tracker
from residua.train import Callback, fit, resume
from residua.train.track import trackers

SHORT = {"model": "residual_mlp_tiny", "threads": 1, "recipe_changes": {"epochs": 3}, "limit_batches": 2}


def short(path, **options):
    return fit(run_dir=path, **{**SHORT, "progress": False, **options})


class Stop(Callback):
    def on_epoch(self, moment):
        if moment.epoch == 1:
            raise RuntimeError


class Memory(Tracker):
    """A tracker of a user's own, which remembers, and fails when it is told to."""

    kind = "memory"
    package = "json"
    told: ClassVar[list] = []
    fails: ClassVar[str] = ""

    def follow(self, run, step):
        self._tell("follow", step)
        return self

    def epoch(self, line):
        self._tell("epoch", line["step"])

    def close(self, result):
        self._tell("close", result and result["test_accuracy"])

    def _tell(self, what, value):
        print("a tracker prints")
        self.told.append((what, value))
        if what == self.fails:
            raise OSError("no\nroute")


@pytest.fixture
def memory(monkeypatch):
    monkeypatch.setitem(parts.parts("tracker"), "memory", Memory)
    monkeypatch.setattr(Memory, "told", [])
    return Memory


def test_a_tracker_is_told_of_every_epoch_and_of_the_result(memory, tmp_path, capsys):
    run = short(tmp_path / "run", track="memory")
    assert memory.told == [
        ("follow", 0),
        *(("epoch", line["step"]) for line in run.metrics("epoch")),
        ("close", run.result["test_accuracy"]),
    ]
    assert "a tracker prints" not in capsys.readouterr().out  # stdout is for results


@pytest.mark.parametrize("when", ["follow", "epoch", "close"])
def test_one_that_fails_never_costs_the_training(memory, tmp_path, monkeypatch, capsys, when):
    monkeypatch.setattr(memory, "fails", when)
    run = short(tmp_path / "run", track="memory", progress=True)
    assert run.result["epochs"] == 3
    failed = [line for line in capsys.readouterr().err.splitlines() if "tracker memory failed" in line]
    assert failed == ["the tracker memory failed, and the training goes on without it: OSError: no route"]
    assert [what for what, _ in memory.told].count(when) == 1  # it is told no more


def test_a_resumed_run_is_followed_by_what_it_was_begun_with(memory, tmp_path):
    with pytest.raises(ResiduaError):
        short(tmp_path / "run", track=[Memory()], callbacks=[Stop()])
    assert memory.told[-1] == ("close", None)
    memory.told.clear()
    resume(tmp_path / "run", progress=False)
    assert memory.told[0] == ("follow", 4)
    assert resume(tmp_path / "run", epochs=4, track="none", progress=False).result["epochs"] == 4
    assert sum(what == "follow" for what, _ in memory.told) == 1


def test_what_is_asked_for_is_read_and_what_is_not_there_refused(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "trackio" else object())
    asked = "wandb(project='a,b'), mlflow"
    assert [one.kind for one in trackers(asked)] == ["wandb", "mlflow"]
    assert trackers(asked)[0].project == "a,b"
    assert trackers("none") == trackers([]) == ()
    assert [one.kind for one in trackers(None)] == ["tensorboard"]
    with pytest.raises(UsageError, match="trackio is not installed: pip install trackio"):
        trackers("trackio")
    with pytest.raises(UsageError, match="unknown tracker 'mlfow'; did you mean 'mlflow'"):
        trackers("mlfow")
    with pytest.raises(UsageError, match="'online'"):
        trackers("wandb(mode='sometimes')")


def test_without_tensorboard_nothing_is_followed_by_default(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert trackers(None) == ()


def test_mlflow_gets_settings_epochs_and_the_result_and_goes_on_with_the_same_run(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # mlflow-skinny brings no database
    uri = (tmp_path / "store").as_uri()
    with pytest.raises(ResiduaError):
        short(tmp_path / "run", track=f"mlflow(experiment='tables', uri='{uri}')", callbacks=[Stop()])
    run = resume(tmp_path / "run", progress=False)
    client = mlflow.MlflowClient(tracking_uri=uri)
    (logged,) = client.search_runs([client.get_experiment_by_name("tables").experiment_id])
    assert logged.info.status == "FINISHED"
    assert logged.data.params["model.family"] == "residual_mlp"
    assert logged.data.metrics["test_accuracy"] == pytest.approx(run.result["test_accuracy"])
    history = client.get_metric_history(logged.info.run_id, "val_loss")
    assert {(point.step, point.value) for point in history} == {
        (line["step"], line["val_loss"]) for line in run.metrics("epoch")
    }


def test_wandb_is_kept_offline_in_the_run_folder(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "elsewhere"))
    run = short(tmp_path / "run", track="wandb")
    (file,) = (run.path / "wandb").glob("offline-run-*/*.wandb")
    content = file.read_bytes()
    for name in (b"val_loss", b"test_accuracy", b"residual_mlp_tiny"):
        assert name in content
    assert "WANDB_MODE" not in os.environ


def test_trackio_gets_every_epoch(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # it is read when trackio is imported
    trackio = pytest.importorskip("trackio", reason="trackio is not installed", exc_type=ImportError)
    run = short(tmp_path / "run", track="trackio")
    (logged,) = trackio.Api().runs("residua")
    assert logged.config["model.family"] == "residual_mlp"
    stored = b"".join(path.read_bytes() for path in (tmp_path / "trackio").rglob("*") if path.is_file())
    for line in run.metrics("epoch"):
        assert json.dumps(line["val_loss"]).encode() in stored
