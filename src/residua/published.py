"""Published figures with their sources, and how far each was verified (the packaged ``published.toml``).

A figure counts as verified only if its table (or its row) says so and names evidence that the file describes;
everything else is ``"unconfirmed"`` and is to be shown with that word. Imports no torch; read at first use.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from residua.errors import ResiduaError, UsageError, nearest

Status = Literal["verified", "unconfirmed"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A published work, or a library's own page."""

    id: str = ""
    title: str
    url: str
    authors: str = ""
    year: int | None = None

    def __str__(self) -> str:
        if not self.authors:
            return self.title
        first, *others = self.authors.split(", ")
        return f"{first}{' et al.' if others else ''} {self.year}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table: its model, what it was measured on, and its figures (errors in percent)."""

    model: str  # empty where the row is about something else
    dataset: str = ""
    split: str = ""
    protocol: str = ""
    runs: str = ""
    status: Status = "unconfirmed"
    values: Mapping[str, Any]  # every other key of the row: top1_err, err, mean, std, params_m, remark ...


@dataclass(frozen=True, kw_only=True)
class Table:
    """A published table, or a part of one."""

    id: str = ""
    source: Source
    where: str
    title: str = ""
    note: str = ""
    rows: tuple[Row, ...]

    def __str__(self) -> str:
        return f"{self.source}, {self.where}"


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A published result in words."""

    id: str
    source: Source
    where: str
    text: str
    status: Status


@dataclass(frozen=True, kw_only=True)
class Misquote:
    """What popular texts say, and what the source says."""

    id: str
    claim: str
    truth: str
    where_seen: str
    status: Status


@dataclass(frozen=True, kw_only=True)
class ReleasedWeights:
    """Weights that a library released."""

    library: str
    model: str
    dataset: str
    status: Status
    values: Mapping[
        str, Any
    ]  # weights (their name), top1_acc and top5_acc (percent), crop and resize (pixels) ...


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What a library, or a paper, says that a network costs."""

    model: str
    library: str
    parameters: int | None
    gflops: float | None  # 1e9 multiply-adds
    status: Status


@dataclass(frozen=True, kw_only=True)
class Published:
    """Everything that ``published.toml`` holds."""

    tables: Mapping[str, Table]
    observations: Mapping[str, Observation]
    misquotes: Mapping[str, Misquote]
    weights: tuple[ReleasedWeights, ...]
    counts: tuple[Counted, ...]

    def table(self, name: str) -> Table:
        """The table called ``name``, such as ``"he2015.t6"``. Raises UsageError with the nearest known name."""
        if name not in self.tables:
            raise UsageError(f"no published table {name!r}{nearest(name, self.tables)}")
        return self.tables[name]


@cache
def published() -> Published:
    """The packaged figures."""
    return read(files("residua").joinpath("published.toml").read_text(encoding="utf-8"))


def read(text: str) -> Published:
    """Read published figures from TOML text. Raises ResiduaError for text that is not such a file."""
    try:
        values = tomllib.loads(text)
        sources = {
            key: Source(
                id=key, **_take(item, "title", "url"), authors=item.get("authors", ""), year=item.get("year")
            )
            for key, item in values.get("source", {}).items()
        }
        evidence = values.get("evidence", {})
        return Published(
            tables={
                item["id"]: Table(
                    **_take(item, "id", "where", "title"),
                    source=sources[item["source"]],
                    note=item.get("note", ""),
                    rows=tuple(_row(row, item, evidence) for row in item["rows"]),
                )
                for item in values.get("table", [])
            },
            observations={
                item["id"]: Observation(
                    **_take(item, "id", "where", "text"),
                    source=sources[item["source"]],
                    status=_status(item, evidence),
                )
                for item in values.get("observation", [])
            },
            misquotes={
                item["id"]: Misquote(
                    **_take(item, "id", "claim", "truth", "where_seen"), status=_status(item, evidence)
                )
                for item in values.get("misquote", [])
            },
            weights=tuple(
                ReleasedWeights(
                    **_take(item, *_RELEASE), status=_status(item, evidence), values=_rest(item, *_RELEASE)
                )
                for item in values.get("weights", [])
            ),
            counts=tuple(
                Counted(
                    model=item["name"],
                    library=item["source"],
                    parameters=item.get("params"),
                    gflops=item.get("gflops"),
                    status=_status(item, evidence),
                )
                for item in values.get("model", [])
            ),
        )
    except tomllib.TOMLDecodeError as error:
        raise ResiduaError(f"the published figures are not valid TOML: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ResiduaError(f"the published figures are damaged: {type(error).__name__} at {error}") from error


_SHARED = ("dataset", "split", "protocol", "runs")  # a table states them for its rows, or a row for itself
_TRUST = ("verified", "evidence")
_RELEASE = ("library", "model", "dataset")


def _row(row: Mapping[str, Any], table: Mapping[str, Any], evidence: Mapping[str, Any]) -> Row:
    return Row(
        model=row.get("model", ""),
        **{key: row.get(key, table.get(key, "")) for key in _SHARED},
        status=_status({key: row.get(key, table.get(key)) for key in _TRUST}, evidence),
        values=_rest(row, "model", *_SHARED),
    )


def _status(item: Mapping[str, Any], evidence: Mapping[str, Any]) -> Status:
    seen = item.get("evidence") or []
    confirmed = item.get("verified") is True and bool(seen) and all(key in evidence for key in seen)
    return "verified" if confirmed else "unconfirmed"


def _take(item: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: item[key] for key in keys}


def _rest(item: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in (*keys, *_TRUST)}
