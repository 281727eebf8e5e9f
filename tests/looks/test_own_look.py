"""The look of one's own in docs/analysis.md: in under 40 lines it is listed, asked by analyze and by an experiment."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch

from residua.errors import UsageError
from residua.evaluation.analyze import analyze
from residua.experiments.look_at import look_at
from residua.looks.base import listing
from residua.parts import parts
from residua.registry import build, model_spec

PAGE = Path(__file__).resolve().parents[2] / "docs" / "analysis.md"


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> None:
    section = PAGE.read_text(encoding="utf-8").split("## A look of one's own\n")[1]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) < 40
    monkeypatch.setitem(parts("look"), "alive", None)  # taken away again afterwards
    parts("look").pop("alive")
    module = types.ModuleType("alive")
    monkeypatch.setitem(sys.modules, "alive", module)  # where dataclasses look their annotations up
    exec(compile(code, str(PAGE), "exec"), module.__dict__)


@pytest.mark.usefixtures("alive")
def test_it_is_listed_asked_and_measured(digits: Any) -> None:
    assert "- alive: how many of the values behind each unit are above a bound" in listing()
    torch.manual_seed(0)
    network = build(model_spec("cifar_resnet8", in_channels=1, num_classes=10)).eval()
    (one,) = analyze("alive", network, "digits")
    assert (one.images, len(one.finding.rows)) == (32, 3)
    found = look_at("alive", network, digits, 0, {"panel": 0, "images": 32})
    assert found["least"] == pytest.approx(one.finding.values["least"], abs=0.05)
    assert found["above_the_bound"] == [pytest.approx(row[1], abs=0.05) for row in one.finding.rows]
    assert look_at("alive", network, digits, 0, {"above": 1e9})["least"] == 0
    with pytest.raises(UsageError, match="look 'alive' has no key 'abov'; did you mean 'above'"):
        analyze("alive", network, "digits", options={"abov": 1})


def test_without_its_file_it_is_unknown() -> None:
    with pytest.raises(UsageError, match=r"unknown look 'alive'.*--with FILE"):
        analyze("alive", "cifar_resnet8")
