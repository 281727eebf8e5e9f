"""What docs/architecture.md says of the code is so."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import pytest

import residua
from residua.cli.main import main

SRC = Path(residua.__file__).parent
TEXT = (SRC.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
WALK = TEXT.split("From `residua train` to its first step")[1].split("\n## ")[0]


class FirstStepError(Exception):
    """The first step was reached."""


def test_the_first_step_stands_in_the_files_of_the_walk(tmp_path, monkeypatch):
    import torch

    files: list[str] = []

    def step(*_, **__):
        own = [Path(frame.filename) for frame in traceback.extract_stack()]
        files.extend(dict.fromkeys(str(f.relative_to(SRC)) for f in own if f.is_relative_to(SRC)))
        raise FirstStepError

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    with pytest.raises(SystemExit):
        main(["train", "--epochs", "1", "--limit-batches", "1", "--run-dir", str(tmp_path / "run")])
    assert files == re.findall(r"\*\*`([\w/]+\.py)`\*\*", WALK)


def test_the_walk_has_at_most_twelve_files_and_they_exist():
    named = re.findall(r"`([\w/]+\.py)`", WALK.split("stack):")[1])
    assert 6 < len(named) <= 12
    assert all((SRC / name).is_file() for name in named)


def test_every_room_is_in_the_table():
    rooms = {path.stem for path in SRC.iterdir() if path.suffix in (".py", "") and path.name[0] not in "_."}
    table = TEXT.split("## Rooms")[1].split("## A part")[0]
    named = {
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert rooms - {"py"} == named


def test_no_file_is_longer_than_300_lines():
    long = {
        str(p.relative_to(SRC)): n for p in SRC.rglob("*.py") if (n := len(p.read_text().splitlines())) > 300
    }
    assert not long
