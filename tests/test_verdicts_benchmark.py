"""The stored simulation of the verdicts: made from its evidence, and what the documentation says of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from benchmarks import verdicts

EVIDENCE: dict[str, Any] = json.loads((verdicts.RESULTS / "verdicts.json").read_text(encoding="utf-8"))


def test_the_table_is_made_from_the_evidence() -> None:
    assert (verdicts.RESULTS / "verdicts.md").read_text(encoding="utf-8") == verdicts.table(EVIDENCE)


def test_wrong_decisions_stay_below_the_bound_in_each_direction() -> None:
    assumed = EVIDENCE["nulls"][:2]
    assert EVIDENCE["worlds"] >= 10_000
    assert max(row[way] for row in assumed for way in ("above", "below", "alike")) < 0.025
    assert max(row["refuted"] for row in EVIDENCE["experiments"]) < 0.025


def test_it_stops_no_later_than_before_where_the_effect_is_three_spreads_or_more() -> None:
    pairs = {(row["effect"], row["test"]): row["pairs"] for row in EVIDENCE["planted"]}
    for effect in (e for e in verdicts.EFFECTS if e >= 3):
        assert pairs[effect, "E-value, at most 20"] < pairs[effect, "compare before, at most 20"]
        assert pairs[effect, "E-value, at most 20"] < pairs[effect, "reproduce before, at most 8"]


def test_the_simulation_gives_the_stored_figures_again() -> None:
    pytest.importorskip("scipy", reason="the tests before need scipy")
    small = verdicts.nulls(500)
    for row, stored in zip(small, EVIDENCE["nulls"], strict=True):
        assert row["noise"] == stored["noise"]
        assert abs(row["above"] - stored["above"]) < 0.02
    same = {row["matters"]: row["told"] for row in verdicts.identical(500)}
    assert same[1.0] < 0.8 < 0.95 < same[2.0]
    found = {(row["effect"], row["test"]): row["decided"] for row in verdicts.planted(300)}
    assert found[2.0, "E-value, at most 20"] > 0.97
