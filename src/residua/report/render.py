"""The templates of the pages: Jinja2 fills them in, and escapes every text wherever it came from.

A page is one file that loads nothing, and its policy says so: even a text that slipped through could run nothing.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from residua.errors import UsageError
from residua.report import numbers
from residua.report.translation import Translate
from residua.runs.layout import PAGE

# Its key, and what its macro is given; None: there is nothing to show.
PageSection = tuple[str, dict[str, Any] | None]

# What HTML cannot carry: control characters and lone surrogates, which JSON can smuggle in as \\ud800.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def fill(template: str, /, **values: Any) -> Markup:
    """A template as markup, with ``values``; only what is Markup already is not escaped."""
    return Markup(_environment().get_template(template).render(values))


def page(
    template: str,
    title: str,
    top: dict[str, Any],
    sections: Iterable[PageSection],
    t: Translate,
    footer: str = "footer",
) -> str:
    """The page: its title, what stands at the top, and its sections with links to each; ``footer`` is a key.

    ``template`` has a macro ``top`` and one for each section, called as its key.
    """
    there = [(key, values) for key, values in sections if values is not None]
    script = fill("copy.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    frame = {"title": title, "footer": footer, "script": script, "digest": digest, "t": t}
    return fill("page.html", template=template, top=top, sections=there, **frame) + "\n"


def check_page(path: Path, *, own: Path | None, overwrite: bool) -> None:
    """Refuse a place for a page: only the ``own`` one is replaced without being asked. Raises UsageError."""
    if path.is_dir():
        raise UsageError(f"{path} is a directory; name the page, such as {path / PAGE}")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no directory {path.parent}")
    if path.exists() and not overwrite and (own is None or path.resolve() != own.resolve()):
        raise UsageError(f"{path} exists; --overwrite replaces it, --out names another page")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("residua.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = (numbers.percent, numbers.count, numbers.spread, numbers.published_value)
    environment.filters |= {function.__name__: function for function in shown}
    return environment


def _printable(value: object) -> object:
    return value if isinstance(value, Markup) else UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", str(value))
