"""A contact sheet: what a network says of many images, as small pictures by class, the least sure of each first."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from residua.data.image import BadImage, read_image
from residua.deploy.pictures import Picture, from_array
from residua.deploy.predictor import Answer
from residua.files import write_text
from residua.report.numbers import count
from residua.report.render import page
from residua.report.thumbnail import THUMBNAIL
from residua.report.translation import translator

MOST = 2000  # pictures of a page: some ten megabytes
_LISTED = 200  # names of what cannot be read


@dataclass
class ContactSheet:
    """The page of what a network says, filled one answer after the other."""

    _shown: list[dict[str, Any]] = field(default_factory=list)
    _unreadable: list[str] = field(default_factory=list)
    _images: int = 0

    def add(self, answer: Answer, kind: str) -> None:
        """Take an answer; ``kind`` is ``"classes"`` or ``"numbers"``. Its picture is read and made small here."""
        if answer.top is None or answer.picture is None:
            self._unreadable.append(f"{answer.name}: {answer.error}")
            return
        self._images += 1
        if len(self._shown) == MOST:
            return
        (label, value), classes = answer.top[0], kind == "classes"
        said = f"{value:.1%}" if classes else ", ".join(f"{name} {number:.4g}" for name, number in answer.top)
        self._shown.append(
            {
                "group": label if classes else "",
                "order": value,
                "said": said,
                "name": answer.name,
                "source": _thumbnail(answer.picture),
            }
        )

    def write(self, path: Path, network: str, *, lang: str = "en") -> None:
        """Write the page, with the ``network``'s name atop.

        Raises UsageError for an unknown language, ResiduaError if it cannot be written.
        """
        t = translator(lang)
        groups: dict[str, list[dict[str, Any]]] = {}
        for one in sorted(self._shown, key=lambda one: one["order"]):
            groups.setdefault(one["group"], []).append(one)
        largest_first = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
        left = len(self._unreadable) - _LISTED
        listed = [*self._unreadable[:_LISTED], *([t("and_more", n=count(left))] if left > 0 else [])]
        sections = [
            ("sheet", {"groups": largest_first} if groups else None),
            ("unreadable", {"listed": listed} if listed else None),
        ]
        top = {
            "tiles": [
                (t("images"), count(self._images), ""),
                (t("classes_seen"), count(len(groups)), ""),
                (t("unreadable"), count(len(self._unreadable)), ""),
            ],
            "left_out": self._images - len(self._shown),
        }
        title = t("sheet_title", name=network)
        write_text(path, page("contact_sheet.html", title, top, sections, t, "sheet_footer"))


def _thumbnail(picture: Picture) -> str:
    """A data URL; empty if the file is gone since it was read."""
    try:
        source = from_array(picture) if isinstance(picture, np.ndarray) else picture
        image = read_image(source, at_least=THUMBNAIL).copy()
    except BadImage:
        return ""
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    out = io.BytesIO()
    image.save(out, "jpeg", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
