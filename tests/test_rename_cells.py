"""scripts/rename_cells.py, on a copy of the committed cells; and that a grid finds them under their names."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMITTED = ROOT / "benchmarks" / "results" / "reproduce"
DATA = "cifar10-918abecf"


@pytest.fixture
def script() -> Any:
    spec = importlib.util.spec_from_file_location("rename_cells", ROOT / "scripts" / "rename_cells.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def out(tmp_path: Path, script: Any) -> Path:
    """The committed cells and their result, as this version names them."""
    shutil.copytree(COMMITTED / "runs" / DATA, tmp_path / "out" / "runs" / DATA)
    shutil.copytree(COMMITTED / "he2015/degradation/small", tmp_path / "out/he2015/degradation/small")
    list(script.rename_cells(tmp_path / "out", write=True))  # where the committed ones are not renamed yet
    return tmp_path / "out"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def age(out: Path) -> None:
    """Give every cell a name of another version, and mention it."""
    for folder in list((out / "runs" / DATA).iterdir()):
        stem, _, seed = folder.name.rsplit("-", 2)
        old = f"{stem}-{'0' * 8}-{seed}"
        path = folder / "result.json"
        path.write_text(path.read_text().replace(folder.name, old))
        folder.rename(folder.with_name(old))


def test_committed_cells_get_their_names_again_and_their_mentions(out: Path, script: Any) -> None:
    today = tree(out)
    age(out)
    aged = tree(out)
    said = list(script.rename_cells(out, write=False))
    assert len(said) == 12 and all(" -> cifar_" in line for line in said)
    assert tree(out) == aged, "without --write nothing is done"
    assert list(script.rename_cells(out, write=True)) == said
    assert tree(out) == today
    assert list(script.rename_cells(out, write=True)) == [], "what has its name is left"


def test_a_stop_in_between_is_gone_on_from(out: Path, script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    today, rename, left = tree(out), Path.rename, iter(range(5))
    age(out)

    def killed(path: Path, target: Path) -> Path:
        if path.name.endswith(("-s0", "-s1", "-s2")) and next(left, None) is None:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "rename", killed)
        list(script.rename_cells(out, write=True))
    assert len(list(script.rename_cells(out, write=True))) == 12 - 5
    assert tree(out) == today


def test_what_cannot_be_told_is_left_and_said(out: Path, script: Any) -> None:
    age(out)
    cells = sorted((out / "runs" / DATA).iterdir())
    (cells[0] / "spec.json").unlink()
    (cells[1] / "spec.json").write_text('{"family": "unheard_of"}')
    (cells[2] / "env.json").write_text("[]")
    shutil.copytree(cells[3], cells[3].with_name(script._name(cells[3])))
    said = list(script.rename_cells(out, write=True))
    for cell, why in zip(
        cells, ("no spec is stored", "unknown model family", "is damaged", "stands beside it"), strict=False
    ):
        assert any(line.startswith(f"{cell}: left as it is: ") and why in line for line in said), why
    assert sum(" -> " in line for line in said) == 8


def test_a_grid_finds_what_is_committed(out: Path, script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """``residua reproduce --out``, after the renaming: every cell is read, none is trained."""
    from residua.experiments import cell, study
    from residua.experiments import reproduce as runner

    age(out)
    list(script.rename_cells(out, write=True))
    committed = json.loads((out / "he2015/degradation/small/result.json").read_text())
    data = SimpleNamespace(
        kind="cifar10",
        identity={"fingerprint": {"sha256": committed["data"]["fingerprint"]}},
        model_changes=lambda: {"num_classes": 10, "in_channels": 3},
    )
    for module in (cell, study):
        monkeypatch.setattr(module, "load", lambda spec: data)
    no_executor = SimpleNamespace(
        close=lambda: None, submit=lambda cell, files: pytest.fail(f"{cell.folder} is trained")
    )
    monkeypatch.setattr(runner, "_executor", lambda ray, jobs: no_executor)
    [result] = runner.reproduce("he2015/degradation", scale="small", data="cifar10", out=out, max_seeds=3)
    for arm, seeds in committed["evidence"].items():
        for seed, values in seeds.items():
            assert result["evidence"][arm][seed]["test_error"] == pytest.approx(
                values["test_error"], abs=0.01
            )
