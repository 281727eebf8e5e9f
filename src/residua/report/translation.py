"""The texts of the report: a table of data for each language (``messages/``), and what fills their fields in."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files

from residua.errors import UsageError, nearest

LANGUAGES = ("en", "zh")
Translate = Callable[..., str]


@cache
def messages(lang: str) -> dict[str, str]:
    """Every text in ``lang``, by its key.

    Raises UsageError for a language that the report is not written in.
    """
    if lang not in LANGUAGES:
        raise UsageError(f"the report has no language {lang!r}{nearest(lang, LANGUAGES)}")
    return tomllib.loads(
        files("residua.report").joinpath(f"messages/{lang}.toml").read_text(encoding="utf-8")
    )


def translator(lang: str) -> Translate:
    """A function that gives the text of a key in ``lang``, its fields filled in. Raises what ``messages`` raises."""
    texts = messages(lang)
    return lambda key, **fields: texts[key].format(**fields)
