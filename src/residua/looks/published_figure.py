"""A look into the papers' tables instead of a network: what is printed, for rules about popular quotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from residua.analysis.finding import Finding, rows_of_figures
from residua.looks.base import Look, Subject
from residua.parts import register
from residua.published import published


@register
@dataclass(frozen=True, kw_only=True)
class PublishedFigure(Look):
    """``printed``: 1 if the table has the figure, else 0; and its ``value``."""

    kind: ClassVar[str] = "published_figure"
    about: ClassVar[str] = "whether a paper's table has a figure"
    images: ClassVar[int] = 0
    offered: ClassVar[bool] = False

    table: str
    model: str
    key: str

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        values = [
            row.values[self.key]
            for row in published().table(self.table).rows
            if row.model == self.model and row.values.get(self.key) is not None
        ]
        return Finding(
            kind=self.kind,
            title="A printed figure",
            **rows_of_figures({"printed": len(values[:1]), "value": values[0] if values else None}),
            sentence=f"{self.table} has {self.key} of {self.model}: {values[0] if values else 'it has not'}.",
        )
