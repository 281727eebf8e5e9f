"""Every block of docs/interop.md runs as it stands, after the lines that the examples share."""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/interop.md").read_text(encoding="utf-8")
SHARED = "The images of the examples"
MODULES = {"grad-cam": "pytorch_grad_cam"}  # distributions whose module has another name
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
INTEROP, COMPAT = (
    {MODULES.get(name, name) for name in (Requirement(line).name for line in EXTRAS[extra])}
    for extra in ("interop", "compat")
)


def blocks():
    """Name and code of every block: its heading, and its number where a heading has several."""
    for section in TEXT.split("\n## ")[1:]:
        heading, _, body = section.partition("\n")
        for number, code in enumerate(re.findall(r"```python\n(.*?)```", body, re.DOTALL)):
            yield f"{heading} {number + 1}" if number else heading, code


BLOCKS = dict(blocks())
EXAMPLES = {name: code for name, code in BLOCKS.items() if name != SHARED}


def imported(code):
    """The packages that a block imports."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


@pytest.mark.parametrize("code", EXAMPLES.values(), ids=EXAMPLES)
@pytest.mark.usefixtures("torchvision")
def test_the_block_runs(code, tmp_path, monkeypatch):
    for name in (INTEROP | COMPAT).intersection(imported(code)):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}, which `make interop` installs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CI", "true")  # OpenVINO's import reports to nobody then
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    names = {"__name__": "example"}
    for part in (BLOCKS[SHARED], code):
        exec(compile(part, "docs/interop.md", "exec"), names)
    for file in tmp_path.glob("*.safetensors"):
        assert names["residua"].evaluate(file, "digits").top1 >= 0


def test_the_extra_is_what_the_page_shows():
    assert set().union(*map(imported, BLOCKS.values())) >= INTEROP
