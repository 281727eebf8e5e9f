"""The code of docs/sklearn.md runs, block after block."""

import re
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="the extra sklearn is not installed")

TEXT = (Path(__file__).resolve().parents[2] / "docs/sklearn.md").read_text(encoding="utf-8")


def test_the_page_runs_as_it_stands():
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    for block in blocks:
        exec(compile(block, "docs/sklearn.md", "exec"), names)
    assert len(blocks) == 2
    assert names["net"].score(names["x_test"], names["y_test"]) > 0.9
