"""Interruptions of every kind, in processes of their own: what resumes must end as if nothing had happened."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from residua.errors import ResiduaError, UsageError
from residua.evaluation import evaluate
from residua.files import InUse
from residua.train import RunFolder, fit, resume

CODE = """
import sys
from residua.train import fit, loop, resume
loop.CHECKPOINT_SECONDS = 0.1  # so that kills fall before, between and into checkpoints
verb, path, precision = sys.argv[1:]
if verb == "fit":
    fit("cifar_resnet8", run_dir=path, precision=precision, threads=1, progress=False,
        model_changes={"drop_path": 0.2}, recipe_changes={"epochs": 6, "log_every": 7})
else:
    resume(path, progress=False)
"""


def start(verb, path, precision="float32"):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", CODE, verb, str(path), precision],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    errors = process.communicate(timeout=120)[1]
    assert process.returncode == 0, errors


def outcome(path):
    return [(path / name).read_bytes() for name in ("model.safetensors", "metrics.jsonl")]


def kill_and_resume(path, precision, moments, number=signal.SIGKILL):
    """Interrupt a run at each of the moments (seconds after its folder appeared), and let it end."""
    process = start("fit", path, precision)
    for moment in moments:
        while not path.exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        time.sleep(moment)
        process.send_signal(number)
        process.communicate()
        if (path / "result.json").exists():
            return
        process = start("resume", path)
    finish(process)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "float32"
    finish(start("fit", folder, "float32"))
    return outcome(folder)


def test_kill_9_and_resume_gives_the_same_weights_and_metrics(tmp_path, whole):
    kill_and_resume(tmp_path / "run", "float32", [0.7, 2.5])
    assert outcome(tmp_path / "run") == whole


@pytest.mark.slow
def test_kill_9_and_resume_in_bfloat16(tmp_path):
    finish(start("fit", tmp_path / "whole", "bfloat16"))
    kill_and_resume(tmp_path / "run", "bfloat16", [0.7, 2.5])
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


def test_sigterm_writes_a_checkpoint_where_it_stopped(tmp_path, whole):
    kill_and_resume(tmp_path / "run", "float32", [0.5], signal.SIGTERM)
    assert outcome(tmp_path / "run") == whole


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("trial", range(20))
def test_kill_9_at_random_moments(tmp_path, whole, trial):
    kill_and_resume(tmp_path / "run", "float32", [random.Random(trial).uniform(0, 3)])
    assert outcome(tmp_path / "run") == whole


def test_one_writer_and_any_number_of_readers(tmp_path):
    path = tmp_path / "run"
    process = start("fit", path)
    try:
        while not path.exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        for another in (
            lambda: short(path, overwrite=True),
            lambda: short(path),
            lambda: resume(path, progress=False),
        ):
            with pytest.raises(InUse, match=f"in use by process {process.pid} on "):
                another()
        folder = RunFolder(path)
        assert folder.result is None
        assert evaluate(path, limit=1).n == 256  # readers take no lock
        folder.metrics()
    finally:
        process.kill()
        process.communicate()


def test_nobody_comes_between_a_folders_creation_and_its_training(tmp_path, monkeypatch):
    refused = []

    def between(path):
        for another in (lambda: resume(path, progress=False), lambda: short(path, overwrite=True)):
            with pytest.raises(InUse) as caught:
                another()
            refused.append(caught.value)

    monkeypatch.setattr("residua.train.fitting.point_latest", between)
    short(tmp_path / "run", recipe_changes={"epochs": 1})
    assert len(refused) == 2


def short(path, **options):
    return fit(run_dir=path, threads=1, progress=False, precision="float32", limit_batches=2, **options)


def test_epochs_may_extend_a_finished_run_and_only_extend_it(tmp_path):
    run = short(tmp_path / "run", recipe_changes={"epochs": 2})
    for done in (
        resume(run, progress=False),
        resume(run, epochs=2, progress=False),
    ):  # a success, and no session
        assert (done.path, done.result, len(done.env["sessions"])) == (run.path, run.result, 1)
    with pytest.raises(UsageError, match="only extend"):
        resume(run, epochs=1, progress=False)
    assert RunFolder(run.path).result is not None  # refused: nothing lost
    longer = resume(run, epochs=4, progress=False)
    assert longer.result["epochs"] == 4
    assert [line["epoch"] for line in longer.metrics("epoch")] == [0, 1, 2, 3]
    assert len(longer.env["sessions"]) == 2


def test_other_data_are_refused(tmp_path):
    run = short(tmp_path / "run", recipe_changes={"epochs": 1})
    (run.path / "result.json").unlink()
    with pytest.raises(ResiduaError, match=r"digits:fold=1 is not what .* was trained on"):
        resume(run, data="digits:fold=1", progress=False)


def test_another_machine_or_version_is_refused_unless_allowed(tmp_path):
    run = short(tmp_path / "run", recipe_changes={"epochs": 1})
    (run.path / "result.json").unlink()
    plan = run.path / "plan.json"
    plan.write_text(plan.read_text().replace(run.plan.torch, "2.0.0"))
    with pytest.raises(ResiduaError, match=r"torch '2\.0\.0', here it is .*--allow-inexact"):
        resume(run, progress=False)
    assert resume(run, allow_inexact=True, progress=False).result is not None


def test_a_damaged_checkpoint_is_named(tmp_path):
    run = short(tmp_path / "run", recipe_changes={"epochs": 1})
    (run.path / "result.json").unlink()
    run.last.write_bytes(run.last.read_bytes()[:1000])
    with pytest.raises(ResiduaError, match=r"last\.safetensors is not a readable"):
        resume(run, progress=False)
