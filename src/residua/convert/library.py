"""What a foreign library is to residua: how it names its tensors, and what its images look like."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_UNIT = re.compile(r"layer([1-9])\.(\d{1,4})\.(.+)")


@dataclass(frozen=True, kw_only=True)
class Library:
    """A library's ResNets.

    ``keys`` and ``unit_keys`` map a pattern of its tensor names to residua's; a unit's follow
    ``layer1.0.``. ``assumed`` are fields of the spec that tensors cannot tell, with what the library is
    known to do; the ``notes`` say it to the reader. ``classes`` are the names for a network with as many
    outputs, empty if it has none.
    """

    name: str
    looks: str  # how a user recognises the library
    keys: Mapping[str, str]
    unit_keys: Mapping[str, str]
    stem: str
    assumed: Mapping[str, Any]
    notes: tuple[str, ...]
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...] = ()

    def rename(self, names: Iterable[str]) -> dict[str, str] | None:
        """Residua's name of every tensor, or None if one of them is not of this library."""
        renamed = {name: self._rename(name) for name in names}
        return {old: new for old, new in renamed.items() if new} if all(renamed.values()) else None

    def _rename(self, name: str) -> str | None:
        unit = _UNIT.fullmatch(name)
        if unit is None:
            return _translate(name, self.keys)
        rest = _translate(unit[3], self.unit_keys)
        return f"stages.{int(unit[1]) - 1}.{unit[2]}.{rest}" if rest else None

    def data(self, num_classes: int, in_channels: int) -> dict[str, Any]:
        """What is known of the images of a network of this library."""
        known: dict[str, Any] = {"library": self.name, "notes": list(self.notes)}
        if in_channels == self.shape[0]:
            known |= {"shape": list(self.shape), "mean": list(self.mean), "std": list(self.std)}
        if num_classes == len(self.classes):
            known["classes"] = list(self.classes)
        return known


def _translate(name: str, table: Mapping[str, str]) -> str | None:
    for pattern, template in table.items():
        match = re.fullmatch(pattern, name)
        if match:
            return match.expand(template)
    return None
