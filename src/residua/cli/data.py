"""``residua data look``, ``prepare`` and ``fetch``."""

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


def prepare(
    data: str,
    /,
    *,
    out: Path,
    size: int = 256,
    quality: int = 95,
    per_shard: int = 1000,
    workers: Annotated[int, Parameter(name=["--workers", "-j"])] = 0,
    strict: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Make images small once, into checksummed tar shards; training takes the folder, also while it is made.

    The same command goes on where one was stopped, and checks and mends what stands there.

    Args:
        data: a folder of images, a table of labels, parquet, tar shards (a path or a URL), or kind:path.
        out: the folder to make.
        size: pixels of the shorter side; a smaller image stays as it is, byte for byte.
        quality: of the JPEG that a larger one becomes, 1 to 100.
        per_shard: images in a shard, at most.
        workers: threads that read and write images; by default one for each core.
        strict: stop at the first bad image instead of leaving it out.
        json: print one JSON object.

    """
    from residua.data.prepared import Settings
    from residua.data.prepared import prepare as make
    from residua.spec import DataSpec

    settings = Settings(size=size, quality=quality, per_shard=per_shard)
    with progress_bar("preparing images") as progress:
        spec = DataSpec.of(data).change(strict=strict)
        found = make(spec, out, settings=settings, threads=workers, progress=progress)
    left_out = [{"path": path, "reason": why} for path, why in sorted(found.left_out.items())]
    if json:
        counts = {name: getattr(found, name) for name in ("images", "bytes", "shards", "made")}
        say_json({"schema": 1, "path": str(found.path), **counts, "left_out": left_out})
        return
    say(
        f"{found.images:,} images in {found.shards} shards, {found.bytes / 1e6:,.1f} MB; {found.made} made now, "
        f"{found.shards - found.made} checked",
        *(f"left out {item['path']}: {item['reason']}" for item in left_out[:_NAMED]),
        *([f"... {len(left_out) - _NAMED} more"] if len(left_out) > _NAMED else []),
        found.path,
        f"next: {command('residua', 'train', found.path)}",
    )


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
