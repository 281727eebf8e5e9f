"""Python files of the user's own: what they bring, and to which processes and cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from residua import user_files
from residua.errors import ResiduaError, UsageError
from residua.user_files import UserFile, files_behind, files_changed, files_missing

OWN = Path(__file__).parent / "own_files"
PAPER, UNIT = ((OWN / f"{kind}.txt").read_text() for kind in ("paper", "unit"))


@pytest.fixture(autouse=True)
def _alone(forgotten: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def own(name: str, text: str) -> UserFile:
    Path(f"{name}.py").write_text(text.replace("NAME", name))
    return UserFile.read(f"{name}.py")


def test_what_a_file_registers_is_known_and_said(capsys):
    brought = own("doe2026a", PAPER).run()
    assert brought.parts == {("paper", "doe2026a")}
    assert set(brought.values) >= {"small", "claim"}
    assert capsys.readouterr() == ("", "this is for stderr\n")
    from residua.experiments.catalogue import claims, experiments, papers

    years = [paper.year for paper in papers().values()]
    assert years == sorted(years), "papers stand in the order of years"
    assert "doe2026a" in papers()
    assert "doe2026a/small" in experiments()
    assert claims()["doe2026a-1"].zh == "ResNet-20 很小"


def test_a_file_runs_once_in_a_process(capsys):
    file = own("once", "print('ran')")
    assert file.run() is file.run()
    assert capsys.readouterr().err == "ran\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\nx = y\n", "bad.py, line 2: NameError: name 'y' is not defined"),
        ("x = (\n", "bad.py, line 1: SyntaxError: '(' was never closed"),
        ("raise SystemExit(3)\n", "bad.py, line 1: SystemExit: 3"),
        (
            "import nothing_of_this_name",
            "bad.py, line 1: ModuleNotFoundError: No module named 'nothing_of_this_name'",
        ),
        ("raise ValueError('two\\nlines')", "bad.py, line 1: ValueError: two lines"),
    ],
)
def test_what_fails_is_one_line_with_its_number(text, said):
    with pytest.raises(ResiduaError) as caught:
        own("bad", text).run()
    assert str(caught.value) == said


def test_there_must_be_a_file():
    with pytest.raises(UsageError, match=r"cannot read gone.py: No such file"):
        UserFile.read("gone.py")


def test_files_behind_a_spec_are_those_that_bring_a_part_of_it():
    one, other = own("bent", UNIT), own("doe2026b", PAPER)
    one.run(), other.run()
    assert files_behind({"unit": "bent", "depths": [1, 2]}) == (one,)
    assert files_behind([{"unit": "basic"}, None, 3]) == ()


def test_a_cell_of_another_version_of_a_file_is_another_cell(monkeypatch):
    from residua.experiments import Arm, Setting
    from residua.experiments.cell import make_cell

    def cell(unit):
        arm = Arm("a", "cifar_resnet8", changes={"unit": unit})
        return make_cell(Setting(arms=(arm,), rules={}), arm, 0, root=Path(), source="digits")

    own("curved", UNIT).run()
    first, plain = cell("curved"), cell("basic")
    monkeypatch.setattr(user_files, "_ran", {UserFile("curved.py", "# 2"): user_files._ran.popitem()[1]})
    assert cell("curved").folder != first.folder
    assert cell("basic").folder == plain.folder


def test_versions_are_compared_by_name_and_digest():
    file = own("versioned", "")
    file.run()
    recorded = {"versioned.py": file.digest}
    assert (files_missing(recorded), files_changed(recorded)) == ("", "")
    assert files_changed({"versioned.py": "0" * 64}) == "it was trained with another version of versioned.py"
    assert files_missing({"gone.py": "1"}) == "it was trained with gone.py: --with FILE names it"


@pytest.mark.slow
def test_a_pool_runs_the_files_before_its_cells():
    """Also one whose processes were killed by an earlier cell."""
    from residua.experiments.cell import Cell
    from residua.experiments.executors.local import LocalExecutor

    cell = Cell(
        root=str(Path()),
        model=None,
        data={"source": "digits"},
        kind="digits",
        fingerprint="0" * 8,
        recipe=None,
        look="scalar_growth",
        options={"factor": 0.9},
        seed=0,
    )
    executor = LocalExecutor(1)
    try:
        from concurrent.futures.process import BrokenProcessPool

        with pytest.raises(BrokenProcessPool):
            executor.submit(cell, [UserFile("killing.py", "import os; os._exit(1)")]).result()
        refused = executor.submit(cell, [UserFile("failing.py", "x = 1 / 0")]).result()
        assert refused.error == "failing.py, line 1: ZeroDivisionError: division by zero"
        fine = executor.submit(cell, [UserFile("fine.py", "x = 1")]).result()
        assert fine.measures["product"] == pytest.approx(0.9**99)
    finally:
        executor.close()
