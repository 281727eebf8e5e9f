"""The page of a reproduction: the claim, what is published, what was measured, and how it was judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from residua.errors import UsageError
from residua.experiments.experiment import SCALES
from residua.experiments.rules.ruling import MAX_SEEDS
from residua.files import write_text
from residua.names import command
from residua.report.document import document
from residua.report.evidence import Result, read_result
from residua.report.html import Html, element, escape, join, table
from residua.report.numbers import count, duration, figure, spread
from residua.report.pictures import pictures, words
from residua.report.stored import command_box, flatten, say
from residua.report.text import Translate, translator

# What each verdict is called, means, and how it is coloured.
VERDICTS = {
    "reproduced": ("means_reproduced", "good"),
    "direction reproduced": ("means_direction", "good"),
    "not reproduced": ("means_not", "bad"),
    "undecided": ("means_undecided", "open"),
    "not judged at this scale": ("means_not_judged", "open"),
}


def render_reproduction(
    path: Path, *, lang: str = "en", out: Path | None = None, overwrite: bool = False
) -> Path:
    """Write the page of an experiment's ``result.json`` and return its path: ``report.html`` beside it, or ``out``.

    The own page is always replaced, any other file only with ``overwrite``. Raises UsageError for an unknown language
    and a file that exists, ResiduaError for a damaged result or an unwritable page.
    """
    t = translator(lang)
    result = read_result(path)
    page = out or result.page
    if page.is_dir() or not page.parent.is_dir():
        raise UsageError(f"cannot write {page}: name a file in a folder that exists")
    if page.exists() and page.resolve() != result.page.resolve() and not overwrite:
        raise UsageError(f"{page} exists; --overwrite replaces it, --out names another page")
    sections = [
        ("claim", _claims(result, lang)),
        ("published_section", _published(result, t)),
        ("figure_section", _figures(result, t)),
        ("measured_section", _measured(result, t)),
        ("checks", _checks(result, t)),
        ("caveats", _list(result["caveats"])),
        ("misquotes", _misquotes(result, t)),
        ("arms", _arms(result, t)),
        ("time", _time(result, t)),
        ("repeat", _repeat(result, t)),
    ]
    write_text(
        page, document(title(result, lang), _top(result, t), sections, lang, footer="reproduction_footer")
    )
    return page


def title(result: Result, lang: str) -> str:
    """The experiment's title in a language."""
    return (result["title_zh"] if lang == "zh" and result.values.get("title_zh") else result["title"]) or "?"


def verdict_badge(status: str, t: Translate) -> Html:
    """A verdict as a coloured word; one that is not known stays as it is."""
    return element("span", verdict_word(status, t), class_=f"badge {VERDICTS.get(status, ('', 'open'))[1]}")


def verdict_word(status: str, t: Translate) -> str:
    """A verdict in a language."""
    return t(status) if status in VERDICTS else status


def _top(result: Result, t: Translate) -> Html:
    meaning, kind = VERDICTS.get(result["verdict"], ("", "open"))
    notes = []
    if result.elsewhere and result["published"]:
        data = result["data"].get("source") or "?"
        notes.append(t("scale_note", scale=result["scale"], data=data))
    if result["failed"]:
        notes.append(t("not_whole"))
    where = element("p", element("code", result["experiment"]), " · ", result["where"], class_="note")
    word = element("div", verdict_word(result["verdict"], t), class_="word")
    because = result["reason"] or ""
    counts = Counter(check["status"] for check in result["checks"])
    told = t("comma").join(f"{verdict_word(status, t)} {n}" for status, n in counts.items())
    box = element(
        "div",
        word,
        element("p", t(meaning) if meaning else "", f" ({because})" if because else ""),
        *([element("p", t("statements", n=counts.total(), counts=told))] if counts.total() > 1 else []),
        class_=f"verdict {kind}",
    )
    return join([where, box, *(element("div", element("p", note), class_="callout") for note in notes)])


def _claims(result: Result, lang: str) -> Html:
    said = (
        element("p", element("b", claim["id"]), "  ", (lang == "zh" and claim.get("zh")) or claim["text"])
        for claim in result["claims"]
    )
    return element("div", *said, class_="said")


def _published(result: Result, t: Translate) -> Html:
    parts: list[Any] = []
    if result["published"]:
        head = (t("model"), t("published_measure"), t("value"), t("source"))
        rows = [
            (
                row["model"],
                words(row.get("measure") or row["key"], t),
                element("b", shown_value(row.get("value"))),
                join(
                    [
                        _link(row),
                        *_doubt(row, t),
                        *(_under(str(row[key])) for key in ("protocol", "remark") if row.get(key)),
                    ]
                ),
            )
            for row in result["published"]
        ]
        parts.append(table(head, rows))
    else:
        parts.append(element("p", t("nothing_published"), class_="note"))
    for item in result["observations"]:
        source = _under(join([item["source"], *_doubt(item, t)]))
        parts.append(element("blockquote", element("p", item["text"], lang="en"), source))
    return join(parts)


def _figures(result: Result, t: Translate) -> Html | None:
    drawn = pictures(result, t)
    if not drawn:
        return None
    notes = {"curves": [t("curves_seeds")], "series": [t("series_seeds")]}.get(result["figure"], [])
    said = " ".join([*notes, t("dots_seeds")])
    return join([element("div", *drawn, class_="charts"), element("p", said, class_="note")])


def _measured(result: Result, t: Translate) -> Html | None:
    """A row for each arm, a column for each measure; the published figure stands under what was measured."""
    if not result["table"]:
        return None
    cells = {(row["arm"], row["measure"]): row for row in result["table"]}
    measures = list(dict.fromkeys(row["measure"] for row in result["table"]))
    rows = []
    for arm in dict.fromkeys(row["arm"] for row in result["table"]):
        own = [cells.get((arm, measure)) for measure in measures]
        rows.append(
            (arm, *(_cell(result, row, t) for row in own), count(max(row["n"] for row in own if row)))
        )
    return table(
        (t("arm"), *(words(measure, t) for measure in measures), t("seeds_n")), rows, kind="numbers measured"
    )


def _cell(result: Result, row: dict[str, Any] | None, t: Translate) -> Html | str:
    if row is None:
        return "–"
    beside = [join([shown_value(p.get("value")), *_doubt(p, t)]) for p in row["published"]]
    if not beside:
        return spread(row["mean"], row["sd"])
    if result.elsewhere:
        beside.append(escape(t("not_comparable")))
    return join([spread(row["mean"], row["sd"]), _under(Html(t("published", values=", ".join(beside))))])


def _checks(result: Result, t: Translate) -> Html | None:
    if not result["checks"]:
        return None
    items = (
        element(
            "li",
            verdict_badge(check["status"], t),
            element("p", check["text"], lang="en"),
            element("p", check["reason"], class_="note", lang="en"),
        )
        for check in result["checks"]
    )
    return join([element("ul", *items, class_="checks"), element("p", t("checks_note"), class_="note")])


def _misquotes(result: Result, t: Translate) -> Html | None:
    pairs = (
        element(
            "div",
            element("h3", t("said")),
            element("p", item["claim"], lang="en"),
            element("h3", t("truth"), *_doubt(item, t)),
            element("p", item["truth"], lang="en"),
            element("p", item["where_seen"], class_="note", lang="en") if item.get("where_seen") else "",
            class_="misquote",
        )
        for item in result["misquotes"]
    )
    return join(pairs) or None


def _arms(result: Result, t: Translate) -> Html:
    head = (t("arm"), t("model"), t("changes"))
    changed = ("changes", "recipe", "options")
    rows = [
        (
            arm["name"],
            arm.get("model") or "–",
            say(
                {k: v for key in changed if isinstance(arm.get(key), dict) for k, v in arm[key].items()}
                or None,
                t,
            ),
        )
        for arm in result["arms"]
    ]
    common = {"recipe": result["recipe"] or {}, "data": result["data"]}
    settings = [(name, say(value, t)) for name, value in flatten(common) if value != {}]
    settings.append((t("scale"), result["scale"]))
    settings.append((t("seeds_n"), t("seeds_of", n=result["seeds"], most=result["max_seeds"])))
    settings += [(f"{t('failed')}{t('colon')}{name}", say(why, t)) for name, why in result["failed"].items()]
    parts = [table(head, rows, kind="wide")] if rows else []
    return join(
        [*parts, element("h3", t("common")), table((t("setting"), t("value")), settings, kind="settings")]
    )


def _time(result: Result, t: Translate) -> Html:
    machine = result["machine"]
    versions = machine.get("versions") if isinstance(machine.get("versions"), dict) else {}
    gpus = [gpu.get("name") for gpu in _tables(machine.get("gpus"))]
    memory = machine.get("memory")
    rows = [
        (t("training_time"), duration(result["seconds"])),
        (t("processor"), f"{say(machine.get('cpu'), t)} × {say(machine.get('usable_cores'), t)}"),
        ("GPU", say(gpus, t)),
        (t("memory"), f"{memory / 2**30:.1f} GiB" if isinstance(memory, int) and memory < 2**63 else "–"),
        (t("versions"), say({"python": machine.get("python"), **versions}, t)),
    ]
    return table((t("setting"), t("value")), rows, kind="wide")


def _repeat(result: Result, t: Translate) -> Html:
    return join([element("p", t("repeat_experiment"), class_="note"), command_box(repeat_command(result))])


def repeat_command(result: Result, data: str = "") -> str:
    """The one command that repeats a result alone; ``data`` stands in for the path that was given."""
    said = ["residua", "reproduce", result["experiment"]]
    if result["scale"] != SCALES[0]:
        said += ["--scale", result["scale"]]
    given = _option(result["command"], "--data")
    if given:
        said += ["--data", data or given]
    if result["max_seeds"] != MAX_SEEDS:
        said += ["--max-seeds", str(result["max_seeds"])]
    return command(*said)


def _option(command: Sequence[str], name: str) -> str:
    """The value of an option of a command, empty without it."""
    for word, following in zip(command, [*command[1:], ""], strict=True):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return ""


def _under(text: object) -> Html:
    return element("span", text, class_="under")


def _list(texts: Iterable[str]) -> Html | None:
    items = [element("li", text) for text in texts]
    return element("ul", *items, lang="en") if items else None


def _link(row: dict[str, Any]) -> Html | str:
    """The source, as a link where its address is one of the web."""
    url = row.get("url") or ""
    return element("a", row["source"], href=url) if url.startswith(("https://", "http://")) else row["source"]


def _doubt(row: dict[str, Any], t: Translate) -> list[Html | str]:
    """The word for a figure that was not seen in its source."""
    return (
        [] if row["status"] == "verified" else [" ", element("span", t("unconfirmed"), class_="badge open")]
    )


def shown_value(value: Any) -> str:
    """A published value, which may be text."""
    plain = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63
    return figure(value) if plain else str(value)[:80]


def _tables(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
