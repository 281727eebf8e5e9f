from __future__ import annotations

from typing import Any

from residua.experiments.look_at import look_at


def _see(kind: str, network: Any, data: Any, seed: int, **options: Any) -> dict[str, Any]:
    return look_at(kind, network, data, seed, options)


def test_a_printed_figure_and_one_that_is_not() -> None:
    found = _see("published_figure", None, None, 0, table="he2015.t6", model="ResNet-56", key="err")
    assert found == {"printed": 1, "value": 6.97}
    for model, key in (("plain-56", "err"), ("ResNet-56", "top1_err")):
        found = _see("published_figure", None, None, 0, table="he2015.t6", model=model, key=key)
        assert found == {"printed": 0, "value": None}
