"""The worked example of CONTRIBUTING.md works as it stands, in the 20 lines that it promises."""

from __future__ import annotations

import re
from pathlib import Path


def test_the_example_runs():
    text = (Path(__file__).resolve().parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 25  # imports included
    exec(compile(code, "CONTRIBUTING.md", "exec"), {"__name__": "example"})
