"""A crash at every step: whatever is left is resumed to the same bits, or was never there.

Each scenario is run once on a disk that is watched (conftest.py). For every state that a kill or a cut of the power can
leave at any operation, and for every operation that fails, what is left is checked as its next user would find it.

    python -m pytest tests/crash -m slow -s     # all of them; prints how many
"""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from residua.convert.write import write_weights
from residua.data.prepared import MANIFEST, Settings, prepare
from residua.errors import ResiduaError, UsageError
from residua.evaluation import inspect_again
from residua.files import read_json
from residua.loading import create_model
from residua.report import quality, render_report, run_page, run_tables
from residua.runs.place import writing
from residua.train import RunFolder, fit, loop, resolve_run, resume, session
from residua.weights.model_files import read_weights, save_model

TINY = {"widths": (2, 2, 2)}
SHORT = {"epochs": 2, "batch_size": 4, "log_every": 1}
SAMPLE = 3  # states of each kind that are tried at every run of the tests


@dataclass(frozen=True)
class Scenario:
    """What stands there before, what is then done, and what its user does after a crash; all are given the folder."""

    before: Callable[[Path], object]
    act: Callable[[Path], object]
    check: Callable[[Path, Path], None]  # also given a folder in which nothing crashed


def train(folder: Path, **options) -> RunFolder:
    return fit(
        "cifar_resnet8",
        run_dir=folder / "R",
        limit_batches=2,
        progress=False,
        threads=1,
        precision="float32",
        model_changes=TINY,
        recipe_changes=SHORT,
        **options,
    )


def outcome(run: Path) -> list[bytes]:
    return [(run / name).read_bytes() for name in ("model.safetensors", "metrics.jsonl")]


def trained(folder: Path, whole: Path) -> None:
    """The run goes on, or was not there yet and can be begun."""
    if there(folder):
        resume(folder / "R", progress=False)
    else:
        train(folder)
    assert outcome(folder / "R") == outcome(whole / "R")


def there(folder: Path) -> bool:
    try:
        return resolve_run(folder / "R").is_dir()
    except UsageError:
        return False


def extended(folder: Path, whole: Path) -> None:
    read_weights(RunFolder(folder / "R").weights)
    resume(folder / "R", epochs=3, progress=False)
    assert outcome(folder / "R") == outcome(whole / "R")


def overwritten(folder: Path, whole: Path) -> None:
    """The old run stands there complete; or the new one, and the old one beside it until the new one is complete."""
    run = RunFolder(resolve_run(folder / "R"))
    if run.seed == 0:
        assert outcome(run.path) == outcome(whole / "before" / "R")
        train(folder, seed=1, overwrite=True)
    else:
        if run.result is None:
            assert outcome(folder / ".R.residua-old") == outcome(whole / "before" / "R")
        resume(run, progress=False)
    assert outcome(run.path) == outcome(whole / "R")


def convert(folder: Path, seed: int = 1) -> None:
    weights = read_weights(folder / f"{seed}.safetensors")
    write_weights(folder / "out.safetensors", weights, "akamaster")
    write_weights(folder / "out.pth", weights, "akamaster")


def converted(folder: Path, whole: Path) -> None:
    for name in ("out.safetensors", "out.pth"):
        allowed = [(place / name).read_bytes() for place in (whole, whole / "before")]
        assert (folder / name).read_bytes() in allowed
    convert(folder)
    for name in ("out.safetensors", "out.pth"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


def two_networks(folder: Path) -> None:
    for seed in (0, 1):
        torch.manual_seed(seed)
        save_model(folder / f"{seed}.safetensors", create_model("cifar_resnet8", shortcut="B"))
    convert(folder, 0)


def report(folder: Path) -> None:
    said = inspect_again(folder / "R")
    render_report([folder / "R"])
    if said:  # the command prints it; the page does without
        raise ResiduaError(said[-1])


def reported(folder: Path, whole: Path) -> None:
    assert outcome(folder / "R") == outcome(whole / "R")
    report(folder)
    pages = [(place / "R" / "report.html").read_text() for place in (folder, whole)]
    # the page names the command that comes next, and so the folder
    assert pages[0].replace(str(folder), "") == pages[1].replace(str(whole), "")


def photos(folder: Path) -> None:
    for i in range(6):
        path = folder / "photos" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((12, 9, 3), 40 * i, np.uint8)).save(path)


def prepared(folder: Path) -> object:
    return prepare(folder / "photos", folder / "small", settings=Settings(size=8, per_shard=3), threads=1)


def prepared_again(folder: Path, whole: Path) -> None:
    """The same command makes what is missing, and only that: the same bytes."""
    prepared(folder)
    made = [
        {path.name: path.read_bytes() for path in (place / "small").rglob("*.*") if path.name != MANIFEST}
        for place in (folder, whole)
    ]
    assert made[0] == made[1] and read_json(folder / "small" / MANIFEST)["complete"]


SCENARIOS = {
    "training": Scenario(lambda folder: None, train, trained),
    "extension": Scenario(train, lambda folder: resume(folder / "R", epochs=3, progress=False), extended),
    "overwrite": Scenario(train, lambda folder: train(folder, seed=1, overwrite=True), overwritten),
    "conversion": Scenario(two_networks, convert, converted),
    "preparation": Scenario(photos, prepared, prepared_again),
    "report": Scenario(train, report, reported),
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)  # one at every step
    monkeypatch.setattr(loop, "_CHECKPOINT_SHARE", 1e9)
    monkeypatch.setattr(session, "tracked", lambda run, progress, trackers: nullcontext(progress))
    monkeypatch.setattr(
        run_page, "SECTIONS", {"confusion": quality.confusion, "recipe": run_tables.recipe}
    )  # no curves


@pytest.fixture(params=SCENARIOS)
def staged(request, tmp_path, monkeypatch, disk):
    """A scenario, the disk that watched it, and the folder with what was there and what came of it."""
    scenario = SCENARIOS[request.param]
    whole = tmp_path / "whole"
    whole.mkdir()
    scenario.before(whole)
    shutil.copytree(whole, tmp_path / "before", symlinks=True)
    watched = disk(whole)
    with watched.watching():
        scenario.act(whole)
    shutil.copytree(tmp_path / "before", whole / "before", symlinks=True)
    return request.param, scenario, watched.moments, whole, tmp_path


def checked(scenario, folder, whole, where):
    try:
        scenario.check(folder, whole)
    except Exception as error:
        raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
    with writing(folder / "R"):  # the next writer
        pass
    left = [str(path.relative_to(folder)) for path in folder.rglob(".*")]
    assert left == [], f"{where} left {left}"


def crash(staged, sample: int | None) -> None:
    name, scenario, moments, whole, tmp_path = staged
    states, points = {}, 0
    for number, moment in enumerate(moments):
        for kind, tree in moment.states():
            points += 1
            states.setdefault(tree.key(), (f"{kind}, {number}: before {moment.operation}", tree))
    chosen = list(states.values())
    if sample is not None:
        chosen = random.Random(name).sample(chosen, min(sample, len(chosen)))
    for number, (where, tree) in enumerate(chosen):
        folder = tmp_path / f"state{number}"
        tree.write(folder)
        checked(scenario, folder, whole, where)
        shutil.rmtree(folder)
    print(f"{name}: {len(moments)} operations, {points} crash points, {len(states)} different states")


def fail(staged, disk, sample: int | None) -> None:
    name, scenario, moments, whole, tmp_path = staged
    faults = [(n, errno.EIO) for n in range(len(moments) - 1)]
    faults += [(n, errno.ENOSPC) for n, moment in enumerate(moments) if moment.room]
    if sample is not None:
        faults = random.Random(name).sample(faults, min(sample, len(faults)))
    for first, code in faults:
        folder = tmp_path / f"fault{first}-{code}"
        shutil.copytree(tmp_path / "before", folder, symlinks=True)
        failing = disk(folder)

        def fault(number: int, operation: str, room: bool, first: int = first, code: int = code) -> None:
            full = code == errno.ENOSPC and number >= first and room  # and stays full
            if full or (code == errno.EIO and number == first):
                raise OSError(code, os.strerror(code))

        failing.fail = fault
        where = f"{os.strerror(code)} at {first}: {moments[first].operation}"
        try:
            with failing.watching():
                scenario.act(folder)
        except ResiduaError as error:
            assert "\n" not in str(error), where
            assert os.strerror(code) in str(error), f"{where}: {error}"
        except Exception as error:
            raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
        checked(scenario, folder, whole, where)
        shutil.rmtree(folder)
    print(f"{name}: {len(faults)} failures of an operation")


def test_a_sample_of_crashes(staged):
    crash(staged, SAMPLE)


def test_a_sample_of_failures(staged, disk):
    fail(staged, disk, SAMPLE)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_crash_at_every_operation(staged):
    crash(staged, None)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_failure_of_every_operation(staged, disk):
    fail(staged, disk, None)
