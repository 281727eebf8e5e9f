"""The gallery: one page that leads to every experiment under a folder, and says of every claim what became of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from residua.errors import ResiduaError
from residua.experiments.catalogue import claims, experiments
from residua.files import write_text
from residua.report.document import document
from residua.report.evidence import Result, find_results, read_result
from residua.report.html import Html, element, join, table
from residua.report.numbers import count
from residua.report.pictures import pictures
from residua.report.reproduction import VERDICTS, title, verdict_badge, verdict_word
from residua.report.text import Translate, translator

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
    sections = [
        ("experiments", _cards(results, folder, t, lang)),
        ("by_claim", _by_claim(results, folder, t, lang)),
        ("not_run", _not_run(results, lang)),
        ("damaged", _list(damaged)),
    ]
    top = join([_tiles(results, t), element("p", t("gallery_note", n=count(len(results))), class_="note")])
    write_text(folder / INDEX, document(t("gallery"), top, sections, lang, footer="reproduction_footer"))
    return folder / INDEX


def _tiles(results: Sequence[Result], t: Translate) -> Html:
    """How many results have each verdict."""
    tiles = []
    for status in VERDICTS:
        n = sum(result["verdict"] == status for result in results)
        if n:
            what = element("span", verdict_word(status, t), class_="what")
            tiles.append(element("li", what, element("div", count(n), class_="figure")))
    return element("ul", *tiles, class_="tiles")


def _cards(results: Sequence[Result], folder: Path, t: Translate, lang: str) -> Html | None:
    cards = (
        element(
            "article",
            element("h3", element("a", title(result, lang), href=_address(result, folder))),
            element("p", verdict_badge(result["verdict"], t)),
            element(
                "p", f"{_claims(result)} · ", element("code", result["experiment"]), f" · {result['scale']}"
            ),
            *pictures(result, t)[:1],
            class_="card",
        )
        for result in results
    )
    return element("div", *cards, class_="cards") if results else None


def _by_claim(results: Sequence[Result], folder: Path, t: Translate, lang: str) -> Html:
    rows = []
    for claim in claims().values():
        found = [result for result in results if any(said["id"] == claim.id for said in result["claims"])]
        verdicts = [
            element(
                "div",
                element("a", f"{result['experiment']} ({result['scale']})", href=_address(result, folder)),
                " ",
                verdict_badge(result["verdict"], t),
            )
            for result in found
        ]
        none = element("span", t("no result yet"), class_="note")
        rows.append((claim.id, claim.zh if lang == "zh" else claim.text, join(verdicts) or none))
    return table(("", t("claim"), t("verdict")), rows)


def _not_run(results: Sequence[Result], lang: str) -> Html | None:
    run = {result["experiment"] for result in results}
    return _list(
        f"{item.id} ({', '.join(claim.id for claim in item.checked)}) · {item.zh if lang == 'zh' else item.title}"
        for item in experiments().values()
        if item.id not in run
    )


def _list(texts: Iterable[str]) -> Html | None:
    items = [element("li", text) for text in texts]
    return element("ul", *items) if items else None


def _claims(result: Result) -> str:
    return ", ".join(claim["id"] for claim in result["claims"])


def _address(result: Result, folder: Path) -> str:
    """The page of a result, as a link from the folder's own page."""
    return quote(os.path.relpath(result.page, folder).replace(os.sep, "/"))
