"""The code of docs/blocks.md runs, block after block."""

import re
from pathlib import Path

TEXT = (Path(__file__).resolve().parents[1] / "docs/blocks.md").read_text(encoding="utf-8")


def test_the_page_runs_as_it_stands(capsys):
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    for block in blocks:
        exec(compile(block, "docs/blocks.md", "exec"), names)
    assert len(blocks) == 5
    assert all(parameter.grad is not None for parameter in names["net"].parameters())
    assert "tensor(" in capsys.readouterr().out
