"""The page of a look at images: what is there, a contact sheet, what lies there twice, what cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from residua.data.batches.keyed import generator
from residua.data.image import BadImage
from residua.files import write_text
from residua.report.numbers import count
from residua.report.render import check_page, page
from residua.report.survey_remarks import chosen, remarks
from residua.report.thumbnail import encoded
from residua.report.translation import Translate, translator
from residua.survey import Survey

TEMPLATE = "survey.html"
CLASSES, PICTURES = 24, 7  # of the contact sheet, and of each class
GROUPS, MEMBERS = 30, 4  # that are shown
LISTED = 500  # files that cannot be read
BINS = (0, 16, 32, 64, 96, 128, 224, 320, 480, 640, 1024, 2048, 4096)  # px of the shorter side


def render_survey(survey: Survey, out: Path, *, lang: str = "en", overwrite: bool = False) -> Path:
    """Write the offline HTML page of a look to ``out``, and return its path.

    A page of an earlier look is replaced, any other file only with ``overwrite``. Raises UsageError for a language that
    there is not and for a page that exists, ResiduaError for one that cannot be written.
    """
    t = translator(lang)
    check_survey_page(out, overwrite=overwrite)
    sections = [
        ("look_choice", _choice(survey, t)),
        ("look_classes", _classes(survey)),
        ("look_sheet", _sheet(survey)),
        ("look_sizes", _sizes(survey, t)),
        ("look_groups", _groups(survey, t)),
        ("look_skipped", _skipped(survey, t)),
    ]
    top = {"tiles": [*_tiles(survey, t)], **_said(survey, t)}
    title = t("look_title", data=survey.spec.source)
    write_text(out, page(TEMPLATE, title, top, sections, t, "look_footer"))
    return out


def check_survey_page(out: Path, *, overwrite: bool) -> None:
    """Refuse a place for the page before any image is read: only an earlier look is replaced unasked."""
    try:
        with out.open(encoding="utf-8", errors="replace") as file:
            ours = f'content="residua {TEMPLATE}"' in file.read(2048)
    except OSError:
        ours = False
    check_page(out, own=out if ours else None, overwrite=overwrite)


def _said(survey: Survey, t: Translate) -> dict[str, list[str]]:
    found = list(remarks(survey))
    return {
        "wrong": [t(remark.key, **remark.fields) for remark in found if remark.wrong],
        "notes": [t(remark.key, **remark.fields) for remark in found if not remark.wrong],
    }


def _tiles(survey: Survey, t: Translate) -> Iterator[tuple[str, str, str]]:
    yield t("images"), count(len(survey.contents.photos)), survey.spec.source.kind
    if survey.classes:
        yield t("look_n_classes"), count(len(survey.classes)), ""
    yield t("look_n_skipped"), count(len(survey.contents.left_out)), ""
    least, median, most = survey.sizes()["shorter"]
    yield t("look_shorter"), f"{median} px", t("look_from_to", least=least, most=most)


def _choice(survey: Survey, t: Translate) -> dict[str, Any] | None:
    if survey.choice is None:
        return None
    reasons = [(why.what.replace("_", " "), why.choice, why.why) for why in survey.choice.reasons]
    return {"sentences": chosen(survey, t), "reasons": reasons}


def _classes(survey: Survey) -> dict[str, Any] | None:
    rows = survey.counts() if survey.classes else []
    return {"rows": rows, "most": max(row["images"] for row in rows)} if rows else None


def _sheet(survey: Survey) -> dict[str, Any]:
    """A few images of each class, the same ones each time."""
    random = generator(0, "contact sheet")
    labels = np.array(survey.contents.labels)
    shown = []
    for name in survey.contents.classes[:CLASSES]:
        places = np.flatnonzero(labels == name)
        chosen = np.sort(random.permutation(places)[:PICTURES]).tolist()
        shown.append((name, [picture for place in chosen if (picture := _picture(survey, place))]))
    return {"rows": shown, "more": max(0, len(survey.contents.classes) - CLASSES)}


def _picture(survey: Survey, place: int) -> dict[str, Any] | None:
    """An image as the page shows it; None if it has gone meanwhile."""
    try:
        image = survey.contents.image(place)
    except BadImage:
        return None
    contents = survey.contents
    source, (width, height) = encoded(image)
    about = f"{contents.photos[place].width}x{contents.photos[place].height}"
    return {
        "source": source,
        "small": max(width, height) <= 32,
        "name": contents.names[place],
        "class": contents.labels[place],
        "part": contents.parts[place],
        "size": about,
    }


def _sizes(survey: Survey, t: Translate) -> dict[str, Any]:
    shorter = [min(photo.width, photo.height) for photo in survey.contents.photos]
    held, _ = np.histogram(shorter, [*BINS, np.inf])
    first, last = np.flatnonzero(held)[[0, -1]]
    rows = [
        (
            t("look_from", least=BINS[i])
            if i == len(BINS) - 1
            else t("look_bin", least=BINS[i], most=BINS[i + 1] - 1),
            int(held[i]),
        )
        for i in range(first, last + 1)
    ]
    facts = survey.to_dict()
    formats = ", ".join(f"{name} {count(n)}" for name, n in facts["formats"].items())
    return {"rows": rows, "most": max(held), "formats": formats}


def _groups(survey: Survey, t: Translate) -> dict[str, Any] | None:
    if not survey.groups:
        return None

    def weight(group: Any) -> tuple[bool, bool]:
        return not survey.contradicts(group), not survey.across(group)

    shown = []
    for group in sorted(survey.groups, key=weight)[:GROUPS]:
        pictures = [picture for place in group.places[:MEMBERS] if (picture := _picture(survey, place))]
        says = [t("look_same_bytes" if group.exact else "look_same_picture")]
        says += [t("look_several_classes")] if survey.contradicts(group) else []
        says += [t("look_across_parts")] if survey.across(group) else []
        more = max(0, len(group.places) - MEMBERS)
        shown.append({"pictures": pictures, "says": says, "wrong": len(says) > 1, "more": more})
    return {"shown": shown, "more": max(0, len(survey.groups) - GROUPS)}


def _skipped(survey: Survey, t: Translate) -> dict[str, Any] | None:
    left_out = list(survey.contents.left_out.items())
    if not left_out:
        return None
    rows = left_out[:LISTED]
    if len(left_out) > LISTED:
        rows.append((t("more", n=count(len(left_out) - LISTED)), ""))
    return {"rows": rows}
