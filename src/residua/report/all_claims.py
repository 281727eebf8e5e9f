"""All claims together: which of them the measurements show or refute, with few false ones among them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from residua.experiments.catalogue import claims
from residua.experiments.rules.discoveries import discoveries
from residua.experiments.rules.evalue import CERTAIN
from residua.experiments.rules.ruling import HOLDS
from residua.report.experiment_result import Result
from residua.report.translation import Translate


def say_all_claims(results: Sequence[Result], t: Translate) -> str:
    """How many claims that were measured are shown, refuted and open, with their ids; empty if none was measured."""
    checks: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for result in results:
        for named in result["claims"]:
            checks[named["id"]] += [check for check in result["checks"] if check.get("decides") is not False]
    measured = {claim: found for claim, found in checks.items() if any(check.get("trail") for check in found)}
    e_values: dict[tuple[str, bool], float] = {}
    for claim, found in measured.items():
        e_values[claim, True] = min(_toward(check) for check in found)  # that every statement holds
        e_values[claim, False] = sum(_against(check) for check in found) / len(found)
    shown = discoveries(e_values)
    if not measured:
        return ""
    in_order = [claim for claim in claims() if claim in measured]
    told = {way: [claim for claim in in_order if (claim, way) in shown] for way in (True, False)}
    left = [claim for claim in in_order if claim not in told[True] + told[False]]
    named = [
        f"{len(ids)} ({t('comma').join(ids)})" if ids else "0" for ids in (told[True], told[False], left)
    ]
    return t("all_claims", n=len(in_order), shown=named[0], refuted=named[1], open=named[2])


def _toward(check: Mapping[str, Any]) -> float:
    """The last E-value for a statement; where chance has no part it is certain either way."""
    if check.get("trail"):
        return check["trail"]["toward"][-1]
    return CERTAIN if check["status"] in HOLDS else 0.0


def _against(check: Mapping[str, Any]) -> float:
    if check.get("trail"):
        return check["trail"]["against"][-1]
    return CERTAIN if check["status"] == "not reproduced" else 0.0
