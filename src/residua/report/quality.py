"""How good the network is in detail: confusion matrix, calibration, classes, and the mistakes as pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from residua.report.charts import ChartSeries, line_chart, matrix_chart
from residua.report.numbers import count, percent
from residua.report.run_tables import SectionValues
from residua.report.thumbnail import SMALL, picture
from residua.report.translation import Translate
from residua.runs.layout import INSPECTION
from residua.runs.record import Run

READABLE = 25  # classes up to which the confusion matrix is a table with numbers
PALEST = 0.2  # opacity of the rarest mistake: it must be seen
DARKEST = 0.6  # of a full cell with a number: the number stays readable on a light and on a dark page
TOP_CONFUSIONS = 15
PAIRS = 5  # of classes
PICTURES = 24  # each is at most a thumbnail, so that the page stays small enough to mail


def confusion(run: Run, t: Translate) -> SectionValues:
    """The confusion matrix: numbers for few classes; for many a picture and the most frequent confusions."""
    matrix = run.inspection.get("confusion")
    if not matrix:
        return None
    names = run.classes if len(run.classes) == len(matrix) else [str(i) for i in range(len(matrix))]
    shares = [[n / max(sum(row), 1) for n in row] for row in matrix]
    tints = [[_tint(share, right=i == j) for j, share in enumerate(row)] for i, row in enumerate(shares)]
    view = {"right": sum(row[i] for i, row in enumerate(matrix)), "n": sum(map(sum, matrix))}
    if len(matrix) <= READABLE:
        rows = [
            [(n, i == j, DARKEST * tint) for j, (n, tint) in enumerate(zip(row, shown, strict=True))]
            for i, (row, shown) in enumerate(zip(matrix, tints, strict=True))
        ]
        return {**view, "names": names, "rows": rows}
    title = t("confusion_map")
    chart = matrix_chart(tints, title=title, x_label=t("predicted_axis"), y_label=t("true_axis"))
    wrong = [(n, i, j) for i, row in enumerate(matrix) for j, n in enumerate(row) if n and i != j]
    wrong = sorted(wrong, key=lambda pair: (-pair[0], pair[1:]))[:TOP_CONFUSIONS]
    pairs = [(names[i], names[j], count(n), percent(shares[i][j])) for n, i, j in wrong]
    return {**view, "chart": chart, "pairs": pairs}


def _tint(share: float, *, right: bool) -> float:
    """How strongly a cell is coloured, in [0, 1]: mistakes by their square root, so that rare ones show."""
    return share if right or not share else PALEST + (1 - PALEST) * math.sqrt(share)


def calibration(run: Run, t: Translate) -> SectionValues:
    """Accuracy by confidence, with the calibration error and the log-likelihood."""
    keys = ("confidence", "accuracy")
    bins = [b for b in run.inspection.get("reliability", []) if b["n"] and None not in map(b.get, keys)]
    if not bins:
        return None
    x, y = ([100 * b[key] for b in bins] for key in keys)
    series = [
        ChartSeries(label=t("measured"), x=x, y=y, marker="dot"),
        ChartSeries(label=t("perfect"), x=[0, 100], y=[0, 100], colour=5, line="dashed"),
    ]
    chart = line_chart(
        series, t=t, title=t("reliability"), x_label=t("confidence_axis"), y_label=t("accuracy_axis")
    )
    return {"chart": chart, "bins": bins, **{key: run.inspection.get(key) for key in ("ece", "nll")}}


def classes(run: Run, t: Translate) -> SectionValues:
    """Recall and precision of every class, the worst first."""
    listed = run.inspection.get("per_class")
    if not listed:
        return None
    return {"listed": sorted(listed, key=lambda c: (c.get("recall") is None, c.get("recall") or 0.0))}


def mistakes(run: Run, t: Translate) -> SectionValues:
    """The first mistakes as pictures; None if nobody looked for them."""
    listed = run.inspection.get("mistakes")
    if listed is None:
        return None
    return {"pictures": pictures(run, listed[:PICTURES], "mistakes"), "more": max(len(listed) - PICTURES, 0)}


def pairs(run: Run, t: Translate) -> SectionValues:
    """The classes that are taken for each other most often, with pictures of each direction; None without any."""
    listed = run.inspection.get("pairs")
    if not listed:
        return None
    directions = [way for pair in listed[:PAIRS] for way in pair["directions"] if way["times"]]
    return {
        "directions": [
            {
                **way,
                "share": way["times"] / max(way["of"], 1),
                "pictures": pictures(run, way["images"], "pairs"),
            }
            for way in directions
        ]
    }


def suspects(run: Run, t: Translate) -> SectionValues:
    """Images whose label the network doubts, as pictures; None where it has none to doubt."""
    listed = run.inspection.get("suspects")
    return {"pictures": pictures(run, listed[:PICTURES], "suspects")} if listed else None


def leaks(run: Run, t: Translate) -> SectionValues:
    """Test images that were trained on, beside their twins; None where there are none, or nobody looked."""
    found = run.inspection.get("leaks")
    if not found or not found["found"]:
        return None
    both = [pictures(run, [twins["test"], twins["train"]], "leaks") for twins in found["images"]]
    same = [twins["same_label"] for twins in found["images"]]
    return {"found": found["found"], "of": found["of"], "twins": list(zip(both, same, strict=True))}


def pictures(run: Run, listed: Sequence[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    """Stored images as the page shows them; a path is told as it is seen from the data's own folder."""
    shown = []
    for number, item in enumerate(listed):
        source, size = picture(item["png"], f"{run.path / INSPECTION}: {where}[{number}]")
        path = run.path_in_data(item.get("path"))
        shown.append({**item, "path": path, "source": source, "small": max(size) <= SMALL})
    return shown
