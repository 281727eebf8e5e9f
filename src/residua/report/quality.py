"""How good the network is in detail: confusion matrix, calibration, classes, and the mistakes as pictures."""

from __future__ import annotations

import math

from residua.report.charts import Series, line_chart, matrix_chart
from residua.report.html import Html, bar, element, join, table
from residua.report.language import Translate
from residua.report.numbers import count, percent
from residua.report.thumbnail import SMALL, picture
from residua.runs.layout import INSPECTION
from residua.runs.record import Run

READABLE = 25  # classes up to which the confusion matrix is a table with numbers
PALEST = 0.2  # opacity of the rarest mistake: it must be seen
DARKEST = 0.6  # of a full cell with a number: the number stays readable on a light and on a dark page
TOP_CONFUSIONS = 15
PICTURES = 24  # each is at most a thumbnail, so that the page stays small enough to mail


def confusion(run: Run, t: Translate) -> Html | None:
    """The confusion matrix: numbers for few classes; for many a picture and the most frequent confusions."""
    matrix = run.inspection.get("confusion")
    if not matrix:
        return None
    names = run.classes if len(run.classes) == len(matrix) else [str(i) for i in range(len(matrix))]
    totals = [sum(row) for row in matrix]
    shares = [[n / max(total, 1) for n in row] for row, total in zip(matrix, totals, strict=True)]
    right = sum(row[i] for i, row in enumerate(matrix))
    note = element("p", t("confusion_note", right=count(right), n=count(sum(totals))), class_="note")
    if len(matrix) <= READABLE:
        return join([_matrix_table(matrix, shares, names), note])
    tints = [[_tint(share, right=i == j) for j, share in enumerate(row)] for i, row in enumerate(shares)]
    title = t("confusion_map")
    chart = matrix_chart(tints, title=title, x_label=t("predicted_axis"), y_label=t("true_axis"))
    order = element("p", t("confusion_order"), class_="note")
    pairs = [(n, i, j) for i, row in enumerate(matrix) for j, n in enumerate(row) if n and i != j]
    pairs = sorted(pairs, key=lambda pair: (-pair[0], pair[1:]))[:TOP_CONFUSIONS]
    rows = ((names[i], names[j], count(n), percent(shares[i][j])) for n, i, j in pairs)
    head = (t(key) for key in ("true", "predicted", "times", "share_of_class"))
    listed = table(head, rows, kind="numbers") if pairs else element("p", t("no_confusions"))
    top = element("div", element("h3", t("top_confusions")), listed)
    return join([element("div", chart, top, class_="charts"), note, order])


def _matrix_table(matrix: list[list[int]], shares: list[list[float]], names: list[str]) -> Html:
    def cell(i: int, j: int) -> Html:
        style = f"--share:{DARKEST * _tint(shares[i][j], right=i == j):.3f}"
        return element("td", matrix[i][j] or "", class_="right" if i == j else None, style=style)

    head = element(
        "tr", element("td"), *(element("th", element("span", name), scope="col") for name in names)
    )
    body = [
        element("tr", element("th", name, scope="row"), *(cell(i, j) for j in range(len(names))))
        for i, name in enumerate(names)
    ]
    grid = element("table", element("thead", head), element("tbody", *body), class_="confusion")
    return element("div", grid, class_="scroll")


def _tint(share: float, *, right: bool) -> float:
    """How strongly a cell is coloured, in [0, 1]: mistakes by their square root, so that rare ones show."""
    return share if right or not share else PALEST + (1 - PALEST) * math.sqrt(share)


def calibration(run: Run, t: Translate) -> Html | None:
    """Accuracy by confidence, with the calibration error and the log-likelihood."""
    bins = [b for b in run.inspection.get("reliability", []) if b["n"] and None not in _point(b)]
    if not bins:
        return None
    series = [
        Series(
            label=t("measured"),
            x=[100 * b["confidence"] for b in bins],
            y=[100 * b["accuracy"] for b in bins],
            marker="dot",
        ),
        Series(label=t("perfect"), x=[0, 100], y=[0, 100], colour=5, line="dashed"),
    ]
    chart = line_chart(
        series, title=t("reliability"), x_label=t("confidence_axis"), y_label=t("accuracy_axis")
    )
    rows = ((percent(b["confidence"]), percent(b["accuracy"]), count(b["n"])) for b in bins)
    head = (t(key) for key in ("bin_confidence", "bin_accuracy", "images"))
    figures = [
        element("p", t(key), element("b", f" {shown}"))
        for key, shown in (
            ("ece", percent(run.inspection.get("ece"))),
            ("nll", f"{run.inspection['nll']:.4f}" if "nll" in run.inspection else "–"),
        )
    ]
    side = element("div", *figures, table(head, rows, kind="numbers"))
    note = element("p", t("calibration_note"), class_="note")
    return join([element("div", chart, side, class_="charts"), note])


def _point(b: dict) -> tuple[float | None, float | None]:
    return b.get("confidence"), b.get("accuracy")


def classes(run: Run, t: Translate) -> Html | None:
    """Recall and precision of every class, the worst first."""
    listed = run.inspection.get("per_class")
    if not listed:
        return None
    ordered = sorted(listed, key=lambda c: (c.get("recall") is None, c.get("recall") or 0.0))
    rows = ((c["class"], count(c["n"]), _share(c.get("recall")), _share(c.get("precision"))) for c in ordered)
    head = (t(key) for key in ("class", "images", "recall", "precision"))
    return join([element("p", t("classes_note"), class_="note"), table(head, rows, kind="numbers")])


def _share(value: float | None) -> Html | str:
    return "–" if value is None else bar(value, percent(value))


def mistakes(run: Run, t: Translate) -> Html | None:
    """The first mistakes as pictures; None if nobody looked for them."""
    listed = run.inspection.get("mistakes")
    if listed is None:
        return None
    if not listed:
        return element("p", t("no_mistakes"))
    shown = []
    for number, mistake in enumerate(listed[:PICTURES]):
        url, size = picture(mistake["png"], f"{run.path / INSPECTION}: mistakes[{number}]")
        shown.append(_picture(mistake, url, small=max(size) <= SMALL, t=t))
    more = element("p", t("more_mistakes", n=len(listed) - len(shown))) if len(shown) < len(listed) else ""
    note = element("p", t("mistakes_note"), class_="note")
    return join([note, element("div", *shown, class_="pictures"), more])


def _picture(mistake: dict, url: str, *, small: bool, t: Translate) -> Html:
    said = t("mistake", true=mistake["true"], predicted=mistake["predicted"])
    path = mistake.get("path")
    return element(
        "figure",
        element("img", src=url, alt=said, title=path, class_="small" if small else None),
        element("b", said),
        element("span", t("confidence", value=percent(mistake["confidence"])), class_="under"),
        element("span", path, class_="under") if path else "",
    )
