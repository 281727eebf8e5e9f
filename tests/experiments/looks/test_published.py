from __future__ import annotations

from residua.experiments.looks.published import published_figure


def test_a_printed_figure_and_one_that_is_not() -> None:
    found = published_figure(None, None, 0, table="he2015.t6", model="ResNet-56", key="err")
    assert found == {"printed": 1, "value": 6.97}
    for model, key in (("plain-56", "err"), ("ResNet-56", "top1_err")):
        found = published_figure(None, None, 0, table="he2015.t6", model=model, key=key)
        assert found == {"printed": 0, "value": None}
