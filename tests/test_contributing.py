"""The worked examples of CONTRIBUTING.md work as they stand, in the lines that they promise."""

from __future__ import annotations

import re
import shlex
import sys
import types
from pathlib import Path

import pytest

from residua import user_files
from residua.cli.main import main

pytestmark = pytest.mark.usefixtures("forgotten")
TEXT = (Path(__file__).resolve().parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
PARTS = ("A unit", "A data source", "An augmentation", "A task")


def example(heading: str, lines: int) -> tuple[str, list[str]]:
    """The code under a heading, in at most so many lines, and the commands under it."""
    section = re.split(r"\n##+ ", TEXT.split(f"# {heading}\n")[1])[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) < lines
    return code, re.findall(r"^residua .*", section, re.MULTILINE)


@pytest.mark.parametrize("heading", PARTS)
def test_a_part_from_a_file_works_on_the_command_line(heading, tmp_path, monkeypatch, capsys):
    code, commands = example(heading, 40)
    monkeypatch.chdir(tmp_path)
    assert commands
    for number, command in enumerate(commands):
        arguments = shlex.split(command)[1:]
        Path(arguments[arguments.index("--with") + 1]).write_text(code)
        if arguments[0] == "train":
            arguments += ["--run-dir", f"run{number}"]
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capsys.readouterr()
        assert ended.value.code in (0, None), err
        assert out


def test_the_paper_is_the_one_that_the_test_of_the_guide_runs():
    code, commands = example("A paper", 40)
    guide = (Path(__file__).resolve().parents[1] / "docs" / "reproduce.md").read_text(encoding="utf-8")
    assert code in guide
    assert commands == ["residua reproduce doe2026 --with doe2026.py"]


def test_a_unit_of_ones_own_keeps_depth_and_zero_start(tmp_path, monkeypatch):
    from residua import create_model, residual_units

    code, _ = example("A unit", 40)
    monkeypatch.chdir(tmp_path)
    Path("eca.py").write_text(code)
    user_files.UserFile.read(Path("eca.py")).run()
    network = create_model("cifar_resnet20", unit="eca(kernel=5)", zero_init=True)
    assert network.spec.depth == 20
    for unit in residual_units(network).values():
        assert not unit.branch.branch.norm2.weight.any()
        assert unit.branch.conv.weight.shape[-1] == 5
        assert unit.branch.conv.weight.any()


def test_a_family_in_one_file(monkeypatch):
    code, _ = example("Add a family in one file", 51)
    module = types.ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)  # where dataclasses look their annotations up
    exec(compile(code, "CONTRIBUTING.md", "exec"), module.__dict__)
