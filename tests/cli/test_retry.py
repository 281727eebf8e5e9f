"""``until residua train ...; do :; done``: whatever kills a training, the same command goes on, and the loop ends."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from residua.train import RunFolder

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs a shell")

# The command, which kills itself at its n-th start when it comes to the n-th of these moments.
DEADLY = """
import importlib, os, signal, sys
from pathlib import Path

starts = Path(sys.argv.pop(1))
number = len(starts.read_text()) if starts.exists() else 0
starts.write_text("x" * (number + 1))
moments = os.environ["MOMENTS"].split(",")
if number < len(moments):
    module, *owner, name = moments[number].split(":")
    owner = getattr(importlib.import_module(module), *owner) if owner else importlib.import_module(module)
    getattr(owner, name)  # it is there
    setattr(owner, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
from residua.cli.main import main
main()
"""
MOMENTS = {
    "before there is a folder": "residua.train.fitting:file_header",
    "in an epoch": "residua.train.loop:Loop:_train_step",
    "at its end": "residua.train.saving:Saving:best",
    "before the test images": "residua.train.session:eval_batch",
    "before result.json": "residua.train.session:Session:_result",
    "after it": "residua.evaluation.inspect:read_outputs",
    "before report.html": "residua.report.run_page:write_text",
}


def loop(folder, moments, *flags):
    """Run the loop in a shell, with a command that is killed at these moments; what it printed."""
    (folder / "deadly.py").write_text(DEADLY)
    retry = 'until "$0" deadly.py starts train "$@"; do [ $(wc -c <starts) -lt 12 ] || exit 9; done'
    done = subprocess.run(
        ["bash", "-c", retry, sys.executable, *map(str, flags)],
        cwd=folder,
        env={
            **os.environ,
            "MOMENTS": ",".join(MOMENTS[moment] for moment in moments),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len((folder / "starts").read_text()) == len(moments) + 1
    return done.stdout


QUICK = ("--epochs", 2, "--limit-batches", 2, "--threads", 1)


@pytest.mark.slow
def test_a_loop_ends_whenever_the_training_is_killed(tmp_path, trained):
    printed = loop(tmp_path, MOMENTS, *QUICK, "--run-dir", "R 1", "--resume-if-exists")
    assert "residua evaluate 'R 1'" in printed
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (tmp_path / "R 1" / name).read_bytes() == (trained / name).read_bytes()
    assert "Confusion matrix" in (tmp_path / "R 1" / "report.html").read_text()


def test_a_loop_that_extends_a_run_ends(tmp_path, trained):
    shutil.copytree(trained, tmp_path / "R")
    loop(tmp_path, ["after it"], "--resume", "R", "--epochs", 3)
    assert RunFolder(tmp_path / "R").result["epochs"] == 3
    assert "Confusion matrix" in (tmp_path / "R" / "report.html").read_text()


def test_a_complete_run_is_a_success(command, run):
    (run / "inspection.json").unlink()
    (run / "report.html").unlink()
    weights = (run / "model.safetensors").read_bytes()
    answer = command("train", "--resume", run, "--json")
    assert (answer.code, answer.json["epochs"]) == (0, 2)
    assert f"{run} is complete" in answer.err
    assert "Confusion matrix" in (run / "report.html").read_text()
    assert (run / "inspection.json").exists()
    assert command("train", "--resume", run, "--epochs", 2).code == 0  # the loop of an extension that is done
    assert (run / "model.safetensors").read_bytes() == weights


OTHER = [
    (("--model", "cifar_resnet14"), "model.name is 'cifar_resnet8' there, 'cifar_resnet14' is asked for"),
    (("--set", "model.drop_path=0.1"), "model.drop_path.rate is 0.0 there"),
    (("--set", "recipe.epochs=3"), "recipe.epochs is 2 there, 3 is asked for"),
    (("--recipe", "quick"), "recipe.name is 'digits' there"),
    (("--seed", "1"), "run.seed is 0 there, 1 is asked for"),
    (("--set", "run.limit_batches=3"), "run.limit_batches is 2 there"),
    (("--set", "run.threads=2"), "plan.threads is 1 there, 2 is asked for"),
    (("--precision", "bf16"), "plan.precision is 'float32' there"),
    (("--val-fraction", "0.2"), "data.val_fraction is 0.1 there"),
    (("digits:fold=1",), "data.fold is None there, 1 is asked for"),
    (("--weights", "first", "--recipe", "digits"), "run.weights is None there"),
]


@pytest.mark.parametrize(("flags", "said"), OTHER, ids=[" ".join(flags) for flags, _ in OTHER])
def test_another_run_is_never_gone_on_with(command, unfinished, flags, said):
    fold = [] if "digits:fold=1" in flags else ["digits"]
    plan = json.loads((unfinished / "plan.json").read_text())
    (unfinished / "plan.json").write_text(json.dumps({**plan, "precision": "float32"}))
    refused = command("train", *fold, *QUICK, *flags, "--run-dir", unfinished, "--resume-if-exists").refused(
        2
    )
    assert said in refused
    assert "residua train --resume runs/first goes on with that one" in refused
    assert not (unfinished / "result.json").exists()


def test_what_does_not_go_with_resume_if_exists(command, run):
    assert "goes with --run-dir" in command("train", "--resume-if-exists").refused(2)
    assert "without --overwrite" in command(
        "train", "--resume-if-exists", "--run-dir", run, "--overwrite"
    ).refused(2)
    assert "do not go with it" in command("train", "--resume", run, "--resume-if-exists").refused(2)
