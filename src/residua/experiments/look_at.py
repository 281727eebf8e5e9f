"""A look as a cell takes it: its figures by name, and the curves of one of its panels as lists over ``x``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

from residua.analysis.finding import Finding
from residua.errors import UsageError
from residua.evaluation.opener import some_of
from residua.looks import Subject, look_class


def look_at(kind: str, network: Any, data: Any, seed: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the look called ``kind`` sees in a network (None: it needs none) on images of the data.

    ``options`` are the look's own, and those of all looks: ``images`` (how many, evenly spaced), ``split``, and
    ``panel``, whose curves are wanted. Raises UsageError for an unknown look or option.
    """
    given = dict(options)
    asked = look_class(kind)
    count, split, panel = (given.pop(name, getattr(asked, name)) for name in ("images", "split", "panel"))
    own = asked.from_dict(given)
    shown = {"images": torch.empty(0), "labels": torch.empty(0)}
    if count and network is not None:
        shown = dict(zip(("pixels", "images", "labels"), some_of(data, split, count), strict=True))
    subject = Subject(model=network, seed=seed, **shown)
    return figures(own.at(subject), panel)


def figures(found: Finding, panel: int | None = None) -> dict[str, Any]:
    """The figures of a finding, and the curves of one of its panels; a name that both have is a curve's with a mark."""
    values = dict(found.values)
    if panel is None or not found.panels:
        return values
    if not -len(found.panels) <= panel < len(found.panels) or not found.panels[panel].curves:
        raise UsageError(f"look {found.kind!r} has no curves in a panel {panel} of {len(found.panels)}")
    drawn = found.panels[panel]
    curves = {"x": list(drawn.curves[0].x), "x_label": drawn.x_label}
    for curve in drawn.curves:
        if len(curve.x) == len(curves["x"]):
            curves[_name(curve.label or drawn.y_label)] = list(curve.y)
    return values | {f"{name}_curve" if name in values else name: value for name, value in curves.items()}


def _name(label: str) -> str:
    spelt = label.lower().replace(" + ", " plus ").replace(" - ", " minus ")
    return re.sub(r"[^a-z0-9]+", "_", spelt).strip("_")
