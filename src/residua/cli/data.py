"""``residua data look`` and ``residua data fetch``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from residua.cli.bar import progress_bar
from residua.cli.say import say, say_json, say_table
from residua.names import command

_NAMED = 20  # files that are left out
_COUNTED = ("images", "train", "val", "test")


def look(
    data: str,
    /,
    *,
    lang: Literal["en", "zh"] = "en",
    out: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Look at images before training on them: what is there, what is wrong, and what training would choose.

    Args:
        data: a folder of images, a table of labels (CSV or parquet), CIFAR (folder or archive), digits, or kind:path.
        lang: language of the page and of what is said.
        out: the page; by default look-NAME.html in the working directory, where an earlier look is replaced.
        overwrite: replace whatever file stands there.
        json: print one JSON object.

    """
    from residua.report.survey_page import check_survey_page, render_survey
    from residua.report.survey_remarks import chosen, remarks
    from residua.report.translation import translator
    from residua.survey import take_survey

    page = out or Path(f"look-{_name(data)}.html")
    check_survey_page(page, overwrite=overwrite)
    survey = take_survey(data, bar=progress_bar)
    render_survey(survey, page, lang=lang, overwrite=overwrite)
    t, found = translator(lang), list(remarks(survey))
    if json:
        said = [{"key": one.key, "wrong": one.wrong, "text": t(one.key, **one.fields)} for one in found]
        say_json({"schema": 1, **survey.to_dict(), "remarks": said, "page": str(page)})
        return
    if survey.classes:
        rows = [[row["name"], *(f"{row[part]:,}" for part in _COUNTED)] for row in survey.counts()]
        say_table([t("class"), *map(t, _COUNTED)], rows, right=range(1, len(_COUNTED) + 1))
        say("")
    left_out = [f"    {path}: {why}" for path, why in survey.contents.left_out.items()]
    more = ["    " + t("more", n=len(left_out) - _NAMED)] if len(left_out) > _NAMED else []
    say(
        *(f"{'! ' if one.wrong else '  '}{t(one.key, **one.fields)}" for one in found),
        *left_out[:_NAMED],
        *more,
    )
    say("", *chosen(survey, t), f"page  {page}", f"next: {command('residua', 'train', data)}")


def fetch(
    name: str,
    /,
    *,
    root: Path = Path("data"),
    mirror: str | None = None,
    binary: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Download CIFAR-10 or CIFAR-100: resumed where it was cut, and verified. Training reads the archive as it is.

    Args:
        name: cifar10 or cifar100.
        root: the folder to put the archive in.
        mirror: web address of the archive, or of the folder that holds it.
        binary: the binary layout instead of the pickled one.
        json: print one JSON object.

    """
    from residua.data.fetch import fetch as download
    from residua.download import ProgressLine

    path = download(name, root, mirror=mirror, binary=binary, progress=ProgressLine())
    if json:
        say_json({"schema": 1, "path": str(path)})
    else:
        say(path, f"next: {command('residua', 'train', path)}")


def _name(data: str) -> str:
    """What the page of a source is called after: the last part of its path, as a file may be called."""
    name = Path(data.partition(":")[2] or data).resolve().name
    return re.sub(r"[^\w.-]+", "-", name)[:100].strip("-.") or "data"
