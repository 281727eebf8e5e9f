"""``digits-table``: the shipped digits as a table, a column for each of the 64 pixels.

The test part is that of ``digits``: what a network of convolutions gets there, and a residual MLP here, compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from residua.data.sources.digits import Digits
from residua.parts import register
from residua.spec import DataSource, DataSpec


@register
@dataclass(frozen=True, kw_only=True)
class DigitsTable(DataSource):
    """Rows of 64 grey levels from 0 to 255, float64."""

    kind: ClassVar[str] = "digits-table"

    def load(self, spec: DataSpec, *, threads: int = 0, storage: str | None = None) -> Any:  # noqa: D102
        from residua.data.in_memory import divided_data

        digits = Digits().load(spec)
        parts = {name: part for name in ("train", "val", "test") if (part := getattr(digits, name))}
        read = [part.read(np.arange(len(part))) for part in parts.values()]
        rows = np.concatenate([pixels.flatten(1).numpy() for pixels, _ in read]).astype(np.float64)
        labels = np.concatenate([labels.numpy() for _, labels in read])
        ends = np.cumsum([len(part) for part in parts.values()])
        places = {
            name: np.arange(end - len(part), end)
            for (name, part), end in zip(parts.items(), ends, strict=True)
        }
        return divided_data(
            spec,
            samples=rows,
            labels=labels,
            classes=digits.classes,
            places=places,
            splits=digits.identity["splits"],
        )
