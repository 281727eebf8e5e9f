"""Grids: what is run, shared, skipped and gone on with; sequential seeds; failures; interruption and two at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from residua.analysis.finding import Finding
from residua.errors import ResiduaError, UsageError
from residua.experiments import reproduce as runner
from residua.experiments.attempt import CellResult, attempt
from residua.experiments.catalogue import experiments
from residua.experiments.cell import Cell, load
from residua.experiments.experiment import Arm, Experiment, Setting
from residua.experiments.grid import GridStopped
from residua.experiments.rules import greater
from residua.experiments.store import result_path
from residua.experiments.study import QUICK_BATCHES, Study
from residua.looks import Look, Subject
from residua.parts import parts
from residua.spec import DataSpec
from residua.user_files import UserFile

RULES = {"a above b": greater("figure", "a", "b", smallest=0.01)}


class _Here:
    """Runs at once in this process."""

    def submit(self, cell: Cell, files: Sequence[UserFile]) -> Future[CellResult]:
        future: Future[CellResult] = Future()
        future.set_result(attempt(cell, files))
        return future

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_executor", lambda ray, jobs: _Here())


class _Looks:
    """A look that gives figures by arm and seed, and counts how often it is asked."""

    def __init__(self, figures: Callable[[str, int], float]) -> None:
        self.figures, self.asked = figures, []

    def part(self) -> type[Look]:
        @dataclass(frozen=True, kw_only=True)
        class Counted(Look):
            kind: ClassVar[str] = "test"
            images: ClassVar[int] = 0
            arm: str

            def find(look, subject: Subject) -> Finding:  # noqa: N805 - self is what counts
                self.asked.append((look.arm, subject.seed))
                values = {"figure": self.figures(look.arm, subject.seed)}
                return Finding(kind="test", title="T", columns=(), rows=(), values=values, sentence="S.")

        return Counted


def _experiment(name: str = "test/one", arms: str = "ab", **setting: Any) -> Experiment:
    made = Setting(arms=tuple(Arm(arm, options={"arm": arm}) for arm in arms), rules=RULES, **setting)
    return Experiment(
        id=name,
        title="A test",
        zh="测试",
        claims=("X1",),
        where="nowhere",
        settings={"quick": made, "paper": "it would take a year"},
        look="test",
        measures=("figure",),
    )


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str, int], float]], _Looks]:
    def install(figures: Callable[[str, int], float]) -> _Looks:
        look = _Looks(figures)
        monkeypatch.setitem(parts("look"), "test", look.part())
        return look

    return install


def _clear(arm: str, seed: int) -> float:
    return {"a": 5.0, "b": 1.0}[arm] + 0.1 * (seed % 3) * (arm == "a")


def _noise(arm: str, seed: int) -> float:
    return float((seed * 7 + (arm == "a") * 3) % 5)


def test_seeds_are_added_until_it_is_decided(looks: Any, tmp_path: Path) -> None:
    look = looks(_clear)
    (result,) = runner.reproduce([_experiment()], out=tmp_path)
    assert result["verdict"] == "direction reproduced"
    assert (result["seeds"], len(look.asked)) == (5, 10)


def test_what_is_not_decided_takes_every_seed(looks: Any, tmp_path: Path) -> None:
    look = looks(_noise)
    (result,) = runner.reproduce([_experiment()], out=tmp_path, max_seeds=6)
    assert result["verdict"] == "undecided"
    assert sorted(look.asked) == [(arm, seed) for arm in "ab" for seed in range(6)]


def test_exact_figures_take_one_seed(looks: Any, tmp_path: Path) -> None:
    look = looks(_clear)
    runner.reproduce([_experiment(fixed=True)], out=tmp_path)
    assert len(look.asked) == 2


def test_again_runs_nothing_and_says_the_same(looks: Any, tmp_path: Path) -> None:
    look = looks(_clear)
    first = runner.reproduce([_experiment()], out=tmp_path)
    asked = len(look.asked)
    began = time.perf_counter()
    assert runner.reproduce([_experiment()], out=tmp_path) == first
    assert time.perf_counter() - began < 1
    assert len(look.asked) == asked
    stored = json.loads(result_path(tmp_path, "test/one", "quick").read_text())
    assert stored == json.loads(json.dumps(first[0]))


def test_cells_of_two_experiments_are_run_once(looks: Any, tmp_path: Path) -> None:
    look = looks(_clear)
    results = runner.reproduce([_experiment(), _experiment("test/two")], out=tmp_path)
    assert [r["verdict"] for r in results] == ["direction reproduced"] * 2
    assert len(look.asked) == len(set(look.asked)) == 10


def test_one_that_fails_stops_no_other(looks: Any, tmp_path: Path) -> None:
    def fails(arm: str, seed: int) -> float:
        if (arm, seed) == ("a", 2):
            raise ResiduaError("the disk\nis full")
        return _clear(arm, seed)

    look = looks(fails)
    results = runner.reproduce([_experiment(), _experiment("test/two", "b")], out=tmp_path)
    assert list(results[0]["failed"].values()) == ["the disk is full"]
    assert set(results[0]["evidence"]["a"]) == set("01345678"[: results[0]["seeds"] - 1])
    assert results[0]["verdict"] == "direction reproduced"  # of the seeds that both arms have
    assert not results[1]["failed"]
    look.figures = _clear  # the next time it goes well
    (again,) = runner.reproduce([_experiment()], out=tmp_path)
    assert not again["failed"]
    assert "2" in again["evidence"]["a"]


def test_what_is_no_error_of_ours_names_its_kind(looks: Any, tmp_path: Path) -> None:
    looks(lambda arm, seed: 1 / 0)
    (result,) = runner.reproduce([_experiment()], out=tmp_path, max_seeds=1, seeds=1)
    assert result["failed"]["a, seed 0"] == "ZeroDivisionError: division by zero"
    assert result["verdict"] == "undecided"


def test_ctrl_c_in_a_cell_ends_the_grid_and_the_next_goes_on(looks: Any, tmp_path: Path) -> None:
    def interrupted(arm: str, seed: int) -> float:
        if (arm, seed) == ("b", 1):
            raise KeyboardInterrupt
        return _clear(arm, seed)

    look = looks(interrupted)
    with pytest.raises(GridStopped, match="same command") as caught:
        runner.reproduce([_experiment()], out=tmp_path)
    assert caught.value.exit_code == 130
    done = set(look.asked) - {("b", 1)}
    look.asked, look.figures = [], _clear
    (result,) = runner.reproduce([_experiment()], out=tmp_path)
    assert result["verdict"] == "direction reproduced"
    assert done
    assert not done & set(look.asked)


def test_a_scale_without_a_setting_is_not_judged(tmp_path: Path) -> None:
    (result,) = runner.reproduce([_experiment()], out=tmp_path, scale="paper")
    assert (result["verdict"], result["reason"]) == ("not judged at this scale", "it would take a year")
    assert result["evidence"] == {}


def test_other_data_than_it_needs_is_not_judged(tmp_path: Path) -> None:
    for data, reason in (
        (None, "it needs cifar10: --data PATH"),
        ("digits", "it needs cifar10, and digits is digits"),
    ):
        (result,) = runner.reproduce([_experiment(needs="cifar10")], out=tmp_path, data=data)
        assert (result["verdict"], result["reason"]) == ("not judged at this scale", reason)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"seeds": 0}, "seeds are from 1"),
        ({"seeds": 5, "max_seeds": 4}, "not 5 and 4"),
        ({"max_seeds": 0}, "seeds are from 1"),
        ({"jobs": 0}, "jobs are 1 or more"),
    ],
)
def test_numbers_that_make_no_sense(asked: dict[str, int], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        runner.reproduce([_experiment()], out=tmp_path, **asked)  # pyright: ignore[reportArgumentType]


def test_data_of_one_s_own_are_read_no_longer_than_the_digits(shared: Path, tmp_path: Path) -> None:
    study = _study(tmp_path, data=str(shared / "data" / "cifar10-head"), max_seeds=1)
    cells = study.next_cells()
    assert len(cells) == 4
    assert {cell.limit for *_, cell in cells} == {QUICK_BATCHES}
    assert all("cifar10-" in str(cell.folder) for *_, cell in cells)


def test_every_seed_of_a_quick_training_is_tested_on_another_fifth_of_the_digits(tmp_path: Path) -> None:
    study = _study(tmp_path, first_seeds=7)
    cells = {seed: cell for _, seed, cell in study.next_cells()}
    assert [cells[seed].data["source"]["fold"] for seed in range(7)] == [None, 1, 2, 3, 4, None, 1]
    tested = [
        frozenset(load(DataSpec.from_dict(cells[seed].data)).test._positions.tolist()) for seed in range(5)
    ]
    assert sum(map(len, tested)) == len(frozenset.union(*tested)) == 1797
    assert len({cell.digest for cell in cells.values()}) == 5
    assert cells[0].digest == cells[5].digest, "the part that always was has the name that it always had"


def test_what_is_not_trained_and_data_of_one_s_own_are_not_rotated(tmp_path: Path) -> None:
    untrained = _experiment()
    asked = Study(
        experiment=untrained,
        scale="quick",
        data=None,
        first_seeds=3,
        max_seeds=3,
        root=tmp_path,
        device="cpu",
    )
    assert {str(cell.data["source"].get("fold")) for *_, cell in asked.next_cells()} == {"None"}
    own = _study(tmp_path, data="digits:fold=3", first_seeds=3)
    assert {cell.data["source"]["fold"] for *_, cell in own.next_cells()} == {3}


def test_time_that_is_up_adds_no_seed_and_the_same_command_goes_on(looks: Any, tmp_path: Path) -> None:
    look = looks(_noise)
    (result,) = runner.reproduce([_experiment()], out=tmp_path, budget=1e-9)
    assert (result["seeds"], result["verdict"], len(look.asked)) == (5, "undecided", 10)
    (result,) = runner.reproduce([_experiment()], out=tmp_path, max_seeds=7)
    assert (result["seeds"], len(look.asked)) == (7, 14)


def _study(root: Path, **asked: Any) -> Study:
    options: dict[str, Any] = {
        "scale": "quick",
        "data": None,
        "first_seeds": 1,
        "max_seeds": 20,
        "device": "cpu",
    }
    return Study(root=root, **{"experiment": experiments()["he2015/convergence"], **options, **asked})


RESULT_KEYS = {
    "schema": int,
    "experiment": str,
    "title": str,
    "title_zh": str,
    "claims": list,
    "where": str,
    "scale": str,
    "verdict": str,
    "reason": str,
    "checks": list,
    "table": list,
    "published": list,
    "observations": list,
    "misquotes": list,
    "caveats": list,
    "figure": str,
    "measures": list,
    "data": dict,
    "arms": list,
    "evidence": dict,
    "failed": dict,
    "seeds": int,
    "max_seeds": int,
    "seconds": float,
    "machine": dict,
    "command": list,
}


def test_a_result_has_everything_that_its_report_shows(looks: Any, tmp_path: Path) -> None:
    looks(_clear)
    runner.reproduce([_experiment()], out=tmp_path)
    text = result_path(tmp_path, "test/one", "quick").read_text(encoding="utf-8")
    result = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    for key, kind in RESULT_KEYS.items():
        assert isinstance(result[key], kind), key
    assert result["schema"] == 1
    assert result["data"]["source"] == "digits"
    (check,) = result["checks"]
    assert set(check) == {"text", "status", "reason", "decides", "trail", "effect"}
    assert len(check["trail"]["toward"]) == 5
    assert check["trail"]["toward"][-1] >= 40
    assert check["effect"]["low"] < 4 < check["effect"]["high"] < 5
    assert [(row["arm"], row["n"], row["mean"]) for row in result["table"]] == [
        ("a", 5, 5.08),
        ("b", 5, 1.0),
    ]


# --- real processes -----------------------------------------------------------------------------------------------

SCRIPT = """
import sys
from pathlib import Path
from residua.errors import ResiduaError
from residua.experiments.experiment import Arm, Experiment, Setting
from residua.experiments.reproduce import reproduce
from residua.experiments.rules import greater

ITEM = Experiment(
    id="test/grid", title="A grid", zh="-", claims=("X1",), where="-",
    settings={"quick": Setting(
        arms=tuple(Arm(name=f"{k}-8", model=f"cifar_{k}8") for k in ("plain", "resnet")),
        rules={"-": greater("train_error", "plain-8", "resnet-8", smallest=1.0)},
        recipe="digits", changes={"epochs": 8}, seeds=2)},
)
if __name__ == "__main__":
    try:
        reproduce([ITEM], out=Path(sys.argv[1]), max_seeds=2, jobs=2)
    except ResiduaError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
"""


def _start(folder: Path, out: Path) -> subprocess.Popen[str]:
    script = folder / "grid.py"
    script.write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, str(script), str(out)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def _finished(folder: Path, out: Path) -> dict[str, Any]:
    process = _start(folder, out)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    return _of(out)


def _of(out: Path) -> dict[str, Any]:
    result = json.loads(result_path(out, "test/grid", "quick").read_text())
    keys = ("test_error", "train_error", "curve_train_loss", "test_loss")
    return {
        a: {s: {k: v[k] for k in keys} for s, v in seeds.items()} for a, seeds in result["evidence"].items()
    }


def _until_it_trains(process: subprocess.Popen[str], out: Path) -> None:
    """Waits for a checkpoint of a training that is not complete."""
    for _ in range(2_400):
        assert process.poll() is None, "it ended before it could be stopped"
        if any(not (p.parents[1] / "result.json").exists() for p in out.glob("runs/*/*/checkpoints/last.*")):
            return
        time.sleep(0.05)
    pytest.fail("no training began")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return _finished(folder, folder / "out")


@pytest.mark.slow
def test_after_kill_9_of_everything_it_goes_on_bit_for_bit(
    undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = _start(tmp_path, out)
    _until_it_trains(process, out)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not result_path(out, "test/grid", "quick").exists()
    assert _finished(tmp_path, out) == undisturbed


@pytest.mark.slow
def test_after_ctrl_c_too(undisturbed: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = _start(tmp_path, out)
    _until_it_trains(process, out)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors.strip().splitlines()[-1] == "interrupted; the same command goes on where it stopped"
    assert "Traceback" not in errors
    assert _finished(tmp_path, out) == undisturbed


@pytest.mark.slow
def test_two_at_once_do_not_disturb_each_other(undisturbed: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "out"
    pair = [_start(tmp_path, out) for _ in range(2)]
    for process in pair:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
    assert _of(out) == undisturbed
