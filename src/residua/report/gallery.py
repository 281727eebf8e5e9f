"""The gallery: one page that leads to every experiment under a folder, and says of every claim what became of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from residua.errors import ResiduaError
from residua.experiments.catalogue import claims, experiments
from residua.files import write_text
from residua.report.all_claims import say_all_claims
from residua.report.experiment_charts import pictures
from residua.report.experiment_result import Result, find_results, read_result
from residua.report.numbers import count
from residua.report.render import page
from residua.report.reproduction import MEANINGS, title, verdict
from residua.report.translation import Translate, translator

INDEX = "index.html"


def render_gallery(folder: Path, *, lang: str = "en") -> Path:
    """Write ``index.html`` in the folder of many results (``--out`` of ``residua reproduce``) and return its path.

    A damaged result is named on the page and does not hide the others. Raises UsageError for an unknown language,
    ResiduaError if the page cannot be written.
    """
    t = translator(lang)
    results: list[Result] = []
    damaged: list[str] = []
    for path in find_results(folder):
        try:
            results.append(read_result(path))
        except ResiduaError as error:
            damaged.append(str(error))
    cards = [_card(result, folder, t, lang) for result in results]
    by_claim = [
        (
            claim.id,
            claim.zh if lang == "zh" else claim.text,
            [card for card in cards if claim.id in card["ids"]],
        )
        for claim in claims().values()
    ]
    not_run = _not_run(results, lang)
    sections = [
        ("experiments", {"cards": cards} if cards else None),
        ("by_claim", {"claims": by_claim}),
        ("not_run", {"listed": not_run} if not_run else None),
        ("damaged", {"listed": damaged} if damaged else None),
    ]
    known = [(verdict(status, t).word, sum(r["verdict"] == status for r in results)) for status in MEANINGS]
    top = {"tiles": [(word, count(n), "") for word, n in known if n], "n": len(results)}
    top["summary"] = say_all_claims(results, t)
    write_text(folder / INDEX, page("gallery.html", t("gallery"), top, sections, t, "reproduction_footer"))
    return folder / INDEX


def _card(result: Result, folder: Path, t: Translate, lang: str) -> dict[str, Any]:
    """What is told of a result, and where its page is: as a link from the folder's own page."""
    ids = [claim["id"] for claim in result["claims"]]
    return {
        "title": title(result, lang),
        "verdict": verdict(result["verdict"], t),
        "ids": ids,
        "claims": ", ".join(ids),
        "experiment": result["experiment"],
        "scale": result["scale"],
        "chart": next(iter(pictures(result, t)), None),
        "address": quote(os.path.relpath(result.page, folder).replace(os.sep, "/")),
    }


def _not_run(results: Sequence[Result], lang: str) -> list[str]:
    run = {result["experiment"] for result in results}
    return [
        f"{item.id} ({', '.join(claim.id for claim in item.checked)}) · {item.zh if lang == 'zh' else item.title}"
        for item in experiments().values()
        if item.id not in run
    ]
