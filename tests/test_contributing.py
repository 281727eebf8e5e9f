"""The worked examples of CONTRIBUTING.md work as they stand, in the lines that they promise."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

from residua import registry
from residua.models.units import kinds as units

TEXT = (Path(__file__).resolve().parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("heading", "lines"),
    [("Add a block in 20 lines", 25), ("Add a family in one file", 50)],  # imports and checks included
)
def test_the_example_runs(heading, lines, monkeypatch):
    registry.families()  # the built-in ones, before what the example adds is put aside
    monkeypatch.setattr(registry, "_families", dict(registry._families))
    monkeypatch.setattr(units, "_kinds", dict(units._kinds))
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= lines
    module = types.ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)  # where dataclasses look their annotations up
    exec(compile(code, "CONTRIBUTING.md", "exec"), module.__dict__)
