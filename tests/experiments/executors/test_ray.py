"""A grid on a local Ray cluster: the same figures as on this machine, whatever happens to the nodes."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
import time
import types
from concurrent.futures import Future
from pathlib import Path

import pytest

from residua.errors import ResiduaError, UsageError
from residua.experiments.attempt import CellResult
from residua.experiments.cell import Cell
from residua.experiments.executors import ray as cluster
from residua.experiments.experiment import Arm, Experiment, Setting
from residua.experiments.reproduce import reproduce
from residua.experiments.rules import greater
from residua.user_files import UserFile

EPOCHS = 8
SMALL = {"object_store_memory": 80 * 2**20, "include_dashboard": False}

DEEPER = Experiment(
    id="own/deeper",
    title="Fourteen layers against eight",
    zh="14 层与 8 层",
    claims=("X1",),
    where="tests",
    settings={
        "quick": Setting(
            arms=(Arm("8", "cifar_resnet8"), Arm("14", "cifar_resnet14")),
            rules={"deeper is better": greater("test_error", "8", "14", smallest=1.0)},
            recipe="digits",
            changes={"epochs": EPOCHS},
            seeds=2,
        )
    },
)


def cell(root: Path, **changes) -> Cell:
    plain = Cell(
        root=str(root),
        model=None,
        data={"source": "digits"},
        kind="digits",
        fingerprint="0" * 64,
        recipe=None,
        look="cost",
        options={},
        seed=0,
    )
    return dataclasses.replace(plain, **changes)


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"residua\[ray\]"):
        cluster.RayExecutor("auto")


def test_a_cluster_that_does_not_answer_is_one_line_in_time(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", types.ModuleType("ray"))
    monkeypatch.setattr(cluster, "_PROBE", "import time; time.sleep(60)")
    with pytest.raises(ResiduaError, match=r"no Ray cluster .* 127.0.0.1:1: nothing answered within 0.5 s"):
        cluster.RayExecutor("127.0.0.1:1", seconds=0.5)


def test_what_the_cluster_says_is_its_last_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", types.ModuleType("ray"))
    monkeypatch.setattr(cluster, "_PROBE", "raise ConnectionError('one\\ntwo')")
    with pytest.raises(ResiduaError, match=r"at auto: two$"):
        cluster.RayExecutor("auto")


def test_a_worker_finds_cells_and_data_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    sent = [cluster._anywhere(cell(Path("out"), data={"source": s})) for s in ("photos", "folder:photos")]
    assert [one.root for one in sent] == [str(tmp_path / "out")] * 2
    assert [one.data["source"] for one in sent] == [
        {"kind": kind, "path": f"{tmp_path}/photos"} for kind in ("path", "folder")
    ]
    assert cluster._anywhere(cell(Path("out"))).data["source"] == {"kind": "digits", "fold": None}


def test_a_node_that_does_not_share_the_folder_says_so(tmp_path):
    assert "does not share" in cluster._run(cell(tmp_path), (), str(tmp_path / "mark")).error


def test_a_worker_that_is_told_to_end_asks_for_another(tmp_path, monkeypatch):
    (tmp_path / "mark").touch()
    monkeypatch.setattr(cluster, "attempt", lambda cell, files: CellResult(interrupted=True))
    with pytest.raises(cluster.Stopped):
        cluster._run(cell(tmp_path), (), str(tmp_path / "mark"))


# a user's file that says on which node a cell is, and leaves checkpoints all the time
OFTEN = UserFile(
    "often.py",
    """
import ray
from residua.experiments import attempt
from residua.train import loop

loop.CHECKPOINT_SECONDS = 0.1
loop._CHECKPOINT_SHARE = 1.0
run_cell = attempt.run_cell

def on_a_node(cell):
    cell.folder.parent.mkdir(parents=True, exist_ok=True)
    cell.folder.with_suffix(".node").write_text(ray.get_runtime_context().get_node_id())
    return run_cell(cell)

attempt.run_cell = on_a_node
""",
)
BREAKING = UserFile("breaking.py", "import os; os._exit(1)")  # every worker dies of it


@pytest.fixture(scope="module")
def ray_cluster(tmp_path_factory):
    """A head that runs nothing, and two nodes of one core each."""
    ray = pytest.importorskip("ray", reason="needs the extra ray, which cannot be imported here")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL})
        for _ in range(2):
            made.add_node(num_cpus=1, **SMALL)
        try:
            yield made
        finally:
            ray.shutdown()
            made.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_node_is_killed_in_the_middle_and_the_figures_are_those_of_the_local_run(
    ray_cluster, tmp_path, monkeypatch
):
    local, far = tmp_path / "local", tmp_path / "far"
    [expected] = reproduce([DEEPER], seeds=2, max_seeds=2, out=local, jobs=1)
    killer = threading.Thread(target=lambda: kill(ray_cluster, far), daemon=True)
    monkeypatch.setattr("residua.experiments.grid.files_in_use", lambda: (OFTEN,))
    killer.start()
    [found] = reproduce([DEEPER], seeds=2, max_seeds=2, out=far, ray=ray_cluster.address)
    killer.join(timeout=1)
    assert not killer.is_alive(), "the grid was done before the node could be killed"

    assert not found["failed"]
    assert without_times(found["evidence"]) == without_times(expected["evidence"])
    folders = sorted(cells(far))
    assert len(folders) == 4
    for folder in folders:
        other = local / folder.relative_to(far)
        for name in ("model.safetensors", "metrics.jsonl"):
            assert (folder / name).read_bytes() == (other / name).read_bytes(), f"{folder.name}/{name}"
    assert sorted(map(sessions, folders)) == [1, 1, 1, 2], "one cell was continued elsewhere"
    assert not list((far / "runs").glob(".shared-*"))


@pytest.mark.slow
def test_a_cell_that_kills_every_worker_is_an_error_of_that_cell(ray_cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_RETRIES", 1)
    executor = cluster.RayExecutor(ray_cluster.address)
    try:
        ended = executor.submit(cell(tmp_path), (BREAKING,)).result(timeout=60)
    finally:
        executor.close()
    assert "Ray could not run it" in ended.error
    assert "\n" not in ended.error


@pytest.mark.slow
def test_what_is_cancelled_leaves_a_checkpoint(ray_cluster, tmp_path, monkeypatch):
    from residua.experiments.cell import make_cell

    [setting] = DEEPER.settings.values()
    assert isinstance(setting, Setting)
    long = dataclasses.replace(setting, changes={"epochs": 1000})
    one = make_cell(long, setting.arms[0], 0, root=tmp_path, source="digits")
    executor = cluster.RayExecutor(ray_cluster.address)
    future: Future[CellResult] = executor.submit(one, (OFTEN,))
    wait_for(lambda: epochs(one.folder) > 1)
    executor.close()
    assert future.result(timeout=1).error
    assert not one.trained
    from residua.files import locked
    from residua.train import RunFolder

    with locked(one.folder):  # nobody is at it any more
        assert RunFolder(one.folder).last.exists()


def kill(ray_cluster, root: Path) -> None:
    """Kill a node, with all its processes, in the middle of a cell."""

    def under_way() -> list[Path]:
        return [f for f in cells(root) if epochs(f) > 1 and not (f / "result.json").exists()]

    wait_for(under_way)
    at = under_way()[0].with_suffix(".node").read_text()
    [node] = [one for one in ray_cluster.worker_nodes if one.node_id == at]
    ray_cluster.remove_node(node, allow_graceful=False)


def cells(root: Path) -> list[Path]:
    return [path for path in (root / "runs").glob("*/*-s*") if path.is_dir()]


def epochs(folder: Path) -> int:
    path = folder / "metrics.jsonl"
    return path.read_text().count('"epoch", ') if path.exists() else 0


def sessions(folder: Path) -> int:
    from residua.train import RunFolder

    return len(RunFolder(folder).env["sessions"])


def without_times(evidence):
    return {
        arm: {
            seed: {k: v for k, v in values.items() if "second" not in k} for seed, values in by_seed.items()
        }
        for arm, by_seed in evidence.items()
    }


def wait_for(condition, seconds: float = 300) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def test_nothing_of_ray_is_imported_before_it_is_needed():
    code = "import sys, residua.experiments.reproduce, residua.cli.reproduce; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
