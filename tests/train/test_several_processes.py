"""One training by several processes: the curve of one, its folder written by one, stopped and killed at any time."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from tests.train.several import finish, start

from residua.errors import ResiduaError, UsageError
from residua.train import RunFolder, resume
from residua.train.processes import Processes

FIT = """
import sys
from residua.train import fit
run = fit("cifar_resnet8", run_dir=sys.argv[1], threads=1, progress=False, limit_batches=4, track="none",
          model_changes={"drop_path": 0.2},
          recipe_changes={"epochs": 2, "log_every": 1, "batch_size": 33, "augmentation": ["crop_flip", "mixup"]})
print(run.result["test_accuracy"])
"""


def losses(run):
    return [line["loss"] for line in RunFolder(run).metrics("step")]


def outcome(path):
    return [(path / name).read_bytes() for name in ("model.safetensors", "metrics.jsonl")]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same training by one process and by two; the second one's share is the larger."""
    folder = tmp_path_factory.mktemp("several")
    said = {n: finish(start(FIT, n, folder, folder / str(n))) for n in (1, 2)}
    return folder, said


def test_two_processes_have_the_curve_of_one(runs):
    folder, said = runs
    one, two = losses(folder / "1"), losses(folder / "2")
    assert len(one) == 8
    assert two == pytest.approx(one, rel=2e-3)
    assert two[0] == pytest.approx(one[0], rel=1e-5)
    ends = [RunFolder(folder / n).metrics("epoch")[-1] for n in "12"]
    assert ends[1]["val_loss"] == pytest.approx(ends[0]["val_loss"], rel=2e-2)
    results = [RunFolder(folder / n).result for n in "12"]
    for key in ("test_images", "train_images", "steps", "epochs", "parameters"):
        assert results[0][key] == results[1][key]
    assert len({*said[2]}) == 1  # the second process has the finished folder too


def test_one_process_has_written_the_folder_and_the_plan_says_how_many_there_were(runs):
    folder, _ = runs
    assert RunFolder(folder / "2").plan.processes == 2
    assert RunFolder(folder / "1").plan.processes == 1
    assert len(RunFolder(folder / "2").env["sessions"]) == 1
    assert sorted(p.name for p in (folder / "2").iterdir()) == sorted(
        p.name for p in (folder / "1").iterdir()
    )


def test_another_number_goes_on_only_if_asked(runs, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(runs[0] / "2", folder)
    with pytest.raises(ResiduaError, match=r"trained by 2 processes, here 1 would.* --processes 2"):
        resume(folder, epochs=3, progress=False)
    run = resume(folder, epochs=3, allow_inexact=True, progress=False)
    assert run.plan.processes == 1
    assert run.plan.reasons[-1] == "from 2 to 1 processes, as asked"
    assert run.result["epochs"] == 3


FIT_PHOTOS = """
import sys
from residua.data import load_data
from residua.spec import DataSpec
from residua.train import fit
fit("cifar_resnet8", load_data(DataSpec.of(sys.argv[2]).change(image_size=16), storage="stream"), run_dir=sys.argv[1],
    threads=1, progress=False, track="none", recipe_changes={"epochs": 1, "log_every": 1, "batch_size": 7})
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_images_that_are_decoded_as_they_are_needed(tmp_path):
    """Each process decodes its share, one of which holds a broken file: the batch is that of one process."""
    random = np.random.default_rng(0)
    for number in range(40):
        image = tmp_path / "images" / "ab"[number % 2] / f"{number}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (20, 20, 3), np.uint8)).save(image)
    image.write_bytes(image.read_bytes()[:-300])  # the last one is cut off
    for count in (1, 2):
        finish(start(FIT_PHOTOS, count, tmp_path, tmp_path / f"by {count}", tmp_path / "images"))
    one, two = losses(tmp_path / "by 1"), losses(tmp_path / "by 2")
    assert len(one) > 2
    skipped = [[file["path"] for file in RunFolder(tmp_path / f"by {n}").data["skipped"]] for n in (1, 2)]
    assert skipped[0] == skipped[1]
    assert two == pytest.approx(one, rel=2e-3)


def test_more_processes_than_images_in_a_batch_are_refused(tmp_path):
    code = """
from residua.train import fit
fit("cifar_resnet8", run_dir=__import__("sys").argv[1], progress=False, limit_batches=1,
    recipe_changes={"epochs": 1, "batch_size": 1})
"""
    for process in start(code, 2, tmp_path, tmp_path / "of one"):
        errors = process.communicate(timeout=100)[1]
        assert process.returncode == 1
        assert "a batch of 1 cannot be divided among 2 processes" in errors


def test_a_task_that_cannot_be_shared_is_refused():
    from residua.train.task import divide

    with pytest.raises(UsageError, match="the task gan is trained by one process"):
        divide(object(), "gan", Processes(0, 2))  # type: ignore[arg-type]


def frequent(folder):
    """A user's file by which checkpoints are so frequent that kills fall between and into them."""
    path = folder / "frequent.py"
    path.write_text("from residua.train import loop\nloop.CHECKPOINT_SECONDS = 0.1\n")
    return path


def command(folder, run, *more):
    return [
        *(sys.executable, "-m", "residua", "train", "--with", str(frequent(folder)), *more),
        *(
            "-m",
            "cifar_resnet8",
            "--epochs",
            "3",
            "--processes",
            "2",
            "--run-dir",
            str(run),
            "--threads",
            "1",
        ),
        *("--limit-batches", "5", "--track", "none"),
        *("--set", "model.drop_path=0.2", "--set", "recipe.log_every=1"),
    ]


def worker(launch, rank):
    """The process id of one of the processes of a launch."""
    for process in open(f"/proc/{launch.pid}/task/{launch.pid}/children").read().split():  # noqa: SIM115, PTH123
        with open(f"/proc/{process}/environ", "rb") as file:  # noqa: PTH123
            if f"RANK={rank}".encode() in file.read().split(b"\0"):
                return int(process)
    raise AssertionError(f"no process of rank {rank}")


def until_steps(launch, run, count):
    """Wait until so many lines of steps are written."""
    metrics, end = run / "metrics.jsonl", time.monotonic() + 100
    while not metrics.exists() or metrics.read_bytes().count(b"\n") < count:
        assert launch.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    done = subprocess.run(command(folder, folder / "run", "--json"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["epochs"] == 3  # one object, of one process
    assert (folder / "run" / "report.html").exists()
    return outcome(folder / "run")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="looks the processes up in /proc")
@pytest.mark.parametrize(("rank", "lines"), [(0, 9), (1, 3)])
def test_after_a_kill_9_of_one_the_run_ends_as_if_nothing_had_happened(tmp_path, undisturbed, rank, lines):
    running = subprocess.Popen(command(tmp_path, tmp_path / "run"), stderr=subprocess.PIPE, text=True)
    until_steps(running, tmp_path / "run", lines)
    os.kill(worker(running, rank), signal.SIGKILL)
    errors = running.communicate(timeout=200)[1]
    assert running.returncode == 0, errors
    assert f"process {rank} of 2 was ended (SIGKILL): all start again" in errors
    assert "has ended" not in errors  # what the other process noticed is nobody's concern
    assert outcome(tmp_path / "run") == undisturbed


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ctrl_c_stops_all_and_resume_starts_as_many(tmp_path, undisturbed):
    running = subprocess.Popen(
        command(tmp_path, tmp_path / "run"), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    until_steps(running, tmp_path / "run", 6)
    os.killpg(running.pid, signal.SIGINT)
    errors = running.communicate(timeout=100)[1]
    assert running.returncode == 130, errors
    assert "residua: interrupted at step " in errors.splitlines()[-1]
    again = [sys.executable, "-m", "residua", "train", "--resume", str(tmp_path / "run")]
    one = subprocess.run([*again, "--processes", "1"], capture_output=True, text=True)
    assert one.returncode == 1
    assert "trained by 2 processes, here 1 would" in one.stderr
    done = subprocess.run(again, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert outcome(tmp_path / "run") == undisturbed


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_torchrun_starts_the_same_training(tmp_path, undisturbed):
    run = tmp_path / "run"
    arguments = command(tmp_path, run, "--resume-if-exists")[2:]
    at = arguments.index("--processes")
    del arguments[at : at + 2]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            "2",
            "-m",
            *arguments,
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert outcome(run) == undisturbed
