"""The page of a reproduction: the claim, what is published, what was measured, and how it was judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from residua.experiments.experiment import SCALES
from residua.files import write_text
from residua.names import command
from residua.report.e_values import e_value_charts, measured_words
from residua.report.experiment_charts import pictures, words
from residua.report.experiment_result import Result, read_result
from residua.report.numbers import duration
from residua.report.render import check_page, page
from residua.report.run_tables import SectionValues, say, setting_rows
from residua.report.translation import Translate, translator

# What each verdict means, as a key, and how it is coloured.
MEANINGS = {
    "exact": ("means_exact", "good"),
    "checked in the source": ("means_checked", "good"),
    "reproduced": ("means_reproduced", "good"),
    "direction reproduced": ("means_direction", "good"),
    "no difference that matters": ("means_alike", "caution"),
    "not reproduced": ("means_not", "bad"),
    "undecided": ("means_undecided", "open"),
    "not judged at this scale": ("means_not_judged", "open"),
}


class VerdictLabel(NamedTuple):
    """A verdict as it is shown: in the reader's language, coloured, and what it means; one that is not known stays."""

    word: str
    kind: str
    meaning: str


def verdict(status: str, t: Translate) -> VerdictLabel:
    """A verdict of a result, as it is shown."""
    if status not in MEANINGS:
        return VerdictLabel(status, "open", "")
    meaning, kind = MEANINGS[status]
    return VerdictLabel(t(status), kind, t(meaning))


def render_reproduction(
    path: Path, *, lang: str = "en", out: Path | None = None, overwrite: bool = False
) -> Path:
    """Write the page of an experiment's ``result.json`` and return its path: ``report.html`` beside it, or ``out``.

    The own page is always replaced, any other file only with ``overwrite``. Raises UsageError for an unknown language
    and a file that exists, ResiduaError for a damaged result or an unwritable page.
    """
    t = translator(lang)
    result = read_result(path)
    out = out or result.page
    check_page(out, own=result.page, overwrite=overwrite)
    sections = [
        (
            "claim",
            {"claims": [(c["id"], (lang == "zh" and c.get("zh")) or c["text"]) for c in result["claims"]]},
        ),
        ("published_section", _published(result, t)),
        ("figure_section", _figures(result, t)),
        ("measured_section", _measured(result, t)),
        ("checks", _listed(_by_verdict(result["checks"], t))),
        ("e_values", _e_values(result, t)),
        ("caveats", _listed(result["caveats"])),
        ("misquotes", _listed(result["misquotes"])),
        ("arms", _arms(result, t)),
        ("time", {"rows": _time(result, t)}),
        ("repeat", {"command": repeat_command(result)}),
    ]
    top = _top(result, t)
    write_text(out, page("reproduction.html", title(result, lang), top, sections, t, "reproduction_footer"))
    return out


def title(result: Result, lang: str) -> str:
    """The experiment's title in a language."""
    return (result["title_zh"] if lang == "zh" and result.values.get("title_zh") else result["title"]) or "?"


def _top(result: Result, t: Translate) -> dict[str, Any]:
    notes = []
    if result.incomparable and result["published"]:
        data = result["data"].get("source") or "?"
        notes.append(t("scale_note", scale=result["scale"], data=data))
    if result["failed"]:
        notes.append(t("not_whole"))
    counts = Counter(check["status"] for check in result["checks"])
    return {
        "experiment": result["experiment"],
        "where": result["where"],
        "verdict": verdict(result["verdict"], t),
        "reason": result["reason"],
        "statements": counts.total(),
        "counts": t("comma").join(f"{verdict(status, t).word} {n}" for status, n in counts.items()),
        "notes": notes,
    }


def _published(result: Result, t: Translate) -> SectionValues:
    rows = [{**row, "words": words(row.get("measure") or row["key"], t)} for row in result["published"]]
    return {"rows": rows, "observations": result["observations"]}


def _figures(result: Result, t: Translate) -> SectionValues:
    drawn = pictures(result, t)
    notes = {"curves": [t("curves_seeds")], "series": [t("series_seeds")]}.get(result["figure"], [])
    return {"charts": drawn, "note": " ".join([*notes, t("dots_seeds")])} if drawn else None


def _measured(result: Result, t: Translate) -> SectionValues:
    if not result["table"]:
        return None
    cells = {(row["arm"], row["measure"]): row for row in result["table"]}
    arms, measures = (list(dict.fromkeys(row[key] for row in result["table"])) for key in ("arm", "measure"))
    rows = []
    for arm in arms:
        row = [cells.get((arm, measure)) for measure in measures]
        rows.append((arm, row, max(cell["n"] for cell in row if cell)))
    said = [words(measure, t) for measure in measures]
    return {"measures": said, "rows": rows, "comparable": not result.incomparable}


def _by_verdict(
    checks: Sequence[dict[str, Any]], t: Translate
) -> list[tuple[VerdictLabel, list[dict[str, Any]]]]:
    """The checks under their verdicts, in the order of the first of each, with what was measured in words."""
    statuses = dict.fromkeys(check["status"] for check in checks)
    told = [{**check, "measured": measured_words(check, t)} for check in checks]
    return [(verdict(status, t), [c for c in told if c["status"] == status]) for status in statuses]


def _e_values(result: Result, t: Translate) -> SectionValues:
    charts = e_value_charts(result, t)
    return {"charts": charts, "note": t("e_note")} if charts else None


def _listed(listed: list[Any]) -> SectionValues:
    return {"listed": listed} if listed else None


def _arms(result: Result, t: Translate) -> SectionValues:
    changed = ("changes", "recipe", "options")
    rows = []
    for arm in result["arms"]:
        said = [item for key in changed if isinstance(arm.get(key), dict) for item in arm[key].items()]
        changes = {key: value for key, value in said if key != "panel"}  # which curves were kept: no change
        rows.append((arm["name"], arm.get("model") or "–", say(changes or None, t)))
    settings = setting_rows({"recipe": result["recipe"] or {}, "data": result["data"]}, t)
    settings.append((t("scale"), result["scale"]))
    settings.append((t("seeds_n"), t("seeds_of", n=result["seeds"], most=result["max_seeds"])))
    settings += [(f"{t('failed')}{t('colon')}{name}", say(why, t)) for name, why in result["failed"].items()]
    return {"rows": rows, "settings": settings}


def _time(result: Result, t: Translate) -> list[tuple[str, str]]:
    machine = result["machine"]
    versions = machine.get("versions") if isinstance(machine.get("versions"), dict) else {}
    gpus = [gpu.get("name") for gpu in _tables(machine.get("gpus"))]
    memory = machine.get("memory")
    return [
        (t("training_time"), duration(result["seconds"])),
        (t("processor"), f"{say(machine.get('cpu'), t)} × {say(machine.get('usable_cores'), t)}"),
        ("GPU", say(gpus, t)),
        (t("memory"), f"{memory / 2**30:.1f} GiB" if isinstance(memory, int) and memory < 2**63 else "–"),
        (t("versions"), say({"python": machine.get("python"), **versions}, t)),
    ]


def repeat_command(result: Result, data: str = "") -> str:
    """The one command that repeats a result alone; ``data`` stands in for the path that was given."""
    said = ["residua", "reproduce", result["experiment"]]
    if result["scale"] != SCALES[0]:
        said += ["--scale", result["scale"]]
    given = _option(result["command"], "--data")
    if given:
        said += ["--data", data or given]
    return command(*said)


def _option(command: Sequence[str], name: str) -> str:
    """The value of an option of a command, empty without it."""
    for word, following in zip(command, [*command[1:], ""], strict=True):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return ""


def _tables(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
