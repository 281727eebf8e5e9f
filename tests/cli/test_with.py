"""``--with FILE``: every verb knows what a file of one's own registers, and nothing else runs a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from residua import user_files
from residua.errors import ResiduaError
from residua.user_files import UserFile

OWN = Path(__file__).parents[1] / "own_files"
PAPER, UNIT = ((OWN / f"{kind}.txt").read_text() for kind in ("paper", "unit"))


@pytest.fixture(autouse=True)
def _alone(forgotten: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def own(name: str, text: str) -> UserFile:
    Path(f"{name}.py").write_text(text.replace("NAME", name))
    return UserFile.read(f"{name}.py")


def residua(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "residua", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})


def test_every_verb_takes_it(command):
    own("widened", UNIT)
    own("doe2026c", PAPER)
    listed = command("models", "cifar_resnet20", "--with", "widened.py", "--json")
    assert listed.json["files"] == [{"name": "widened.py", "brings": [["unit", "widened"]]}]
    assert "widened.py brings unit widened" in command("models", "cifar_resnet20", "--with=widened.py").out
    shown = command("--with", "widened.py", "describe", "cifar_resnet20", "--set", "unit=widened")
    assert shown.code == 0, shown.err
    papers = command("reproduce", "--list", "--with", "doe2026c.py")
    assert papers.out.splitlines()[-1].split()[:4] == ["doe2026c/small", "doe2026c-1", "quick,", "small,"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--with"], 2, "--with takes the name of a Python file"),
        (["--with="], 2, "--with takes the name of a Python file"),
        (["--with", "--jsn"], 2, "--with takes the name of a Python file"),
        (["--with", "gone.py"], 2, "cannot read gone.py: No such file"),
        (["--with", "broken.py"], 1, "broken.py, line 2: NameError: name 'y' is not defined"),
        (
            ["--with", "fine.py", "--with", "other/fine.py"],
            2,
            "two files have one name: fine.py, other/fine.py",
        ),
    ],
)
def test_a_file_that_cannot_be_run_is_one_line(command, arguments, code, said):
    Path("other").mkdir()
    own("broken", "x = 1\nx = y\n"), own("fine", "x = 1"), Path("other/fine.py").write_text("x = 2")
    answer = command("models", *arguments)
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith(f"residua: {said}") and answer.err.count("\n") == 1


def test_a_paper_in_one_file_is_run_and_reported(command):
    """Claim, published row with its source, experiment: in processes of their own, with the page and the gallery."""
    own("doe2026d", PAPER)
    answer = command("reproduce", "doe2026d", "--with", "doe2026d.py", "--jobs", "1", "--out", "out")
    assert answer.code == 0, answer.err
    assert "0.27 (Doe et al. 2026, Table 1, unconfirmed)" in answer.out.replace(" 0.27", "0.27")
    assert "verdict: exact" in answer.out
    result = json.loads(Path("out/doe2026d/small/quick/result.json").read_text())
    assert result["claims"] == [{"id": "doe2026d-1", "text": "ResNet-20 is small", "zh": "ResNet-20 很小"}]
    assert "doe2026d-1" in Path("out/index.html").read_text()


def test_a_run_says_which_file_it_needs(command):
    own("flattened", UNIT)
    trained = command(
        "train", "digits", "--model", "cifar_resnet8", "--set", "model.unit=flattened", "--epochs", "1",
        "--limit-batches", "1", "--run-dir", "run", "--with", "flattened.py",
    )  # fmt: skip
    assert trained.code == 0, trained.err
    recorded = json.loads(Path("run/env.json").read_text())["files"]
    assert recorded == {"flattened.py": UserFile.read("flattened.py").digest}, (
        "no path that could be run again"
    )
    without = residua("evaluate", "run")
    assert without.returncode == 1
    assert without.stderr == "residua: run: it was trained with flattened.py: --with FILE names it\n"
    assert residua("evaluate", "run", "--with", "flattened.py").returncode == 0


def test_a_run_does_not_go_on_with_another_version(command, monkeypatch):
    from residua.evaluation import evaluate
    from residua.runs.folder import RunFolder
    from residua.train.fitting import fit, resume

    fit(
        "cifar_resnet8",
        "digits",
        run_dir="run",
        limit_batches=1,
        recipe_changes={"epochs": 1},
        progress=False,
    )
    env = json.loads(Path("run/env.json").read_text())
    Path("run/env.json").write_text(json.dumps({**env, "files": {"mine.py": "0" * 64}}))
    own("mine", "").run()
    with pytest.raises(
        ResiduaError, match=r"trained with another version of mine.py \(--allow-inexact goes on"
    ):
        resume("run", epochs=2, progress=False)
    assert evaluate("run").notes == ("run: it was trained with another version of mine.py",)
    assert resume(RunFolder("run"), epochs=2, allow_inexact=True, progress=False).result


# --- nothing else runs a file -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["evil", "evil.py", "evil.py:x", "./evil.py:x", "evil:x"])
@pytest.mark.parametrize(
    "spec", ['name = "SPELLING"', 'family = "SPELLING"', 'name = "cifar_resnet8"\nunit = "SPELLING"']
)
def test_no_spec_runs_a_file(spelling, spec, command):
    """A file of the name lies beside it, and is not looked at."""
    Path("evil.py").write_text("open('ran', 'w').close()")
    Path("spec.toml").write_text("[model]\n" + spec.replace("SPELLING", spelling))
    answer = command("compare", "cifar_resnet8", "spec.toml")
    assert answer.code == 2 and answer.err.count("\n") == 1
    assert not Path("ran").exists()


def test_a_run_folder_runs_no_file(command):
    """Also one that records the file's very name and digest."""
    from residua.train.fitting import fit

    fit(
        "cifar_resnet8",
        "digits",
        run_dir="run",
        limit_batches=1,
        recipe_changes={"epochs": 1},
        progress=False,
    )
    file = own("evil", "open('ran', 'w').close()")
    env = json.loads(Path("run/env.json").read_text())
    Path("run/env.json").write_text(json.dumps({**env, "files": {"evil.py": file.digest}}))
    assert command("evaluate", "run").code == 0
    assert not Path("ran").exists()


# --- installed packages -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [False, True])
def test_an_installed_package_brings_its_papers(broken):
    """By an entry point of the group ``residua``; one that fails is left out with a line, and the rest works."""
    site = Path("site")
    info = site / "doe-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: doe\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[residua]\npapers = doe_papers\n")
    (site / "doe_papers.py").write_text(
        "import nothing_here" if broken else PAPER.replace("NAME", "doe2026e")
    )
    path = f"{Path(user_files.__file__).parents[1]}:{site.resolve()}"
    listed = residua("reproduce", "--list", PYTHONPATH=path)
    assert listed.returncode == 0, listed.stderr
    assert ("doe2026e/small" in listed.stdout) is not broken
    if broken:
        assert listed.stderr.startswith("the parts of doe are left out: ModuleNotFoundError")
