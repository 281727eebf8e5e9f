"""The report's figures: matplotlib SVG that takes its colours from the page, the same bytes each time.

Colours are drawn as codes that no figure would use (``#fe00..``) and become CSS variables, so that one figure
serves the light page, the dark page and the printer. No text of a run enters a figure (matplotlib would read
``$`` as mathematics): names stand in the legend, which is HTML, wraps on a telephone and needs no font here.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from markupsafe import Markup

from residua.report.chart_values import pointed, table
from residua.report.render import UNPRINTABLE, fill
from residua.report.translation import Translate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = 6  # --s0 ... --s5 of style.css: Okabe and Ito's, told apart by colour-blind readers
INK, GRID = "#fe00f0", "#fe00f1"
MOST_POINTS = 1500  # of a curve: more than the pixels of any figure
SMALLEST, LARGEST = 1e-60, 1e60  # what a diverged or a dead network leaves beyond these is not drawn
MARKERS = {"star": "*", "dot": "o"}
SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.image_inline": True,
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the layout is the same on every machine
    "font.size": 8.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.xmargin": 0.02,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "grid.alpha": 1.0,
    "text.color": INK,
    "text.usetex": False,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "path.simplify": True,
}
_TIDY = {  # what is changed in matplotlib's SVG
    r"<metadata>.*?</metadata>|<!--.*?-->": "",  # the date is in there
    r'<g id="[^"]*">': "<g>",  # names that nothing refers to, the same in every figure
    r"font: ([0-9.]+px)[^;\"]*": r"font-size: \1",  # the page knows the better fonts
    INK: "var(--ink)",
    GRID: "var(--line)",
    r"#fe000(\d)": r"var(--s\1)",
}
DASHES = {"solid": "-", "dashed": (0, (4, 2)), "none": ""}


@dataclass(frozen=True, kw_only=True)
class ChartSeries:
    """A curve: its name in the legend, its points, and how it looks. A point that is not finite is a gap.

    ``spread`` is half the height of a band around the curve at each point, such as a standard deviation; ``said`` is
    its name at its values, where the legend names several curves at once.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    colour: int = 0
    line: Literal["solid", "dashed", "none"] = "solid"
    marker: Literal["", "star", "dot"] = ""
    width: float = 1.6
    spread: Sequence[float] = ()
    said: str = ""

    @property
    def called(self) -> str:
        """Its name."""
        return self.said or self.label


def line_chart(
    series: Sequence[ChartSeries],
    *,
    t: Translate,
    title: str,
    x_label: str,
    y_label: str,
    log: bool = False,
    top: float | None = None,
) -> Markup:
    """A figure of curves with its legend, its values to point at and in a table; its labels carry the units.

    ``log`` makes a logarithmic axis of y; any other axis of y holds zero, and ends at ``top`` where that is given.
    Points that could not be drawn are counted under the figure.
    """
    from matplotlib.ticker import MaxNLocator

    drawn = [_drawable(item, log=log) for item in series]
    dropped = sum(not math.isfinite(y) for item in drawn for y in item.y)
    with _style(title) as figure:
        axes = figure.add_subplot()
        for item in drawn:
            _plot(axes, item)
            if item.spread:
                _band(axes, item, log=log)
        axes.set_xlabel(UNPRINTABLE.sub("", x_label), parse_math=False)
        axes.set_ylabel(UNPRINTABLE.sub("", y_label), parse_math=False)
        whole = all(float(x).is_integer() for item in drawn for x in item.x)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=whole))
        if not log and all(y.is_integer() for item in drawn for y in map(float, item.y) if math.isfinite(y)):
            axes.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        if axes.get_xlim()[1] >= 10_000:
            axes.xaxis.set_major_formatter(lambda x, _: f"{x / 1000:g}k" if x else "0")
        _scale(axes, [y for item in drawn for y in item.y if math.isfinite(y)], log=log)
        if top is not None:
            axes.set_ylim(top=top)
        svg = _svg(figure, title)
        points = pointed(figure, axes, drawn, x_label)
    return fill(
        "chart.html",
        **svg,
        t=t,
        legend=[item for item in series if item.label],
        points=points,
        values=table(series, x_label, y_label),
        note=t("gap_note", n=dropped) if dropped else "",
        colours=COLOURS,
    )


def matrix_chart(matrix: Sequence[Sequence[float]], *, title: str, x_label: str, y_label: str) -> Markup:
    """A square heat map of strengths in [0, 1]: one picture for many classes, the diagonal in its own colour."""
    import numpy as np

    strength = np.asarray(matrix, dtype=float)
    right = np.eye(len(strength), dtype=bool)
    # Blue where right, orange where wrong; what is rare lets the page's own background through.
    colour = np.where(right[..., None], (0, 114, 178), (213, 94, 0)) / 255
    pixels = np.concatenate([colour, strength[..., None]], axis=-1)
    with _style(title, height=4.4) as figure:
        axes = figure.add_subplot()
        axes.imshow(pixels, interpolation="none")
        axes.grid(visible=False)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        svg = _svg(figure, title)
    return fill("chart.html", **svg, legend=[], points=[], values=None, note="", colours=COLOURS)


@contextmanager
def _style(salt: str, *, height: float = 2.9) -> Iterator[Figure]:
    """An empty figure; the settings hold for the block, as matplotlib reads some only when it writes."""
    import matplotlib
    from matplotlib.figure import Figure

    # A salt of its own for every figure: references of one never reach into another.
    salt = salt.encode(errors="backslashreplace").decode()  # a lone surrogate cannot be hashed
    settings: Any = SETTINGS | {"svg.hashsalt": salt}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Glyph .* missing from font"
        )  # the browser has Chinese fonts
        yield Figure(figsize=(4.8, height), layout="constrained")


def _drawable(series: ChartSeries, *, log: bool) -> ChartSeries:
    """The points that a figure can show: thinned, and NaN where the axis has no place for them."""
    stride = max(1, math.ceil(len(series.x) / MOST_POINTS))
    keep = sorted({*range(0, len(series.x), stride), *range(len(series.x))[-1:]})  # the last point always
    y = [series.y[i] if _has_place(series.y[i], log=log) else math.nan for i in keep]
    return ChartSeries(
        label=series.label,
        x=[series.x[i] for i in keep],
        y=y,
        colour=series.colour % COLOURS,
        line=series.line,
        # A line of one point would not be seen.
        marker=series.marker or ("dot" if sum(map(math.isfinite, y)) == 1 else ""),
        width=series.width,
        spread=[series.spread[i] for i in keep] if series.spread else (),
        said=series.said,
    )


def _has_place(y: float, *, log: bool) -> bool:
    return SMALLEST < (y if log else abs(y)) < LARGEST or (y == 0 and not log)


def _plot(axes: Axes, series: ChartSeries) -> None:
    colour = f"#fe00{series.colour:02x}"
    axes.plot(
        series.x,
        series.y,
        color=colour,
        linestyle=DASHES[series.line],
        linewidth=series.width,
        marker=MARKERS.get(series.marker, ""),
        markersize=10 if series.marker == "star" else 4,
        clip_on=series.marker != "star",  # a star at the last epoch stands on the edge
        zorder=4 if series.marker == "star" else 3,
    )


def _band(axes: Axes, series: ChartSeries, *, log: bool) -> None:
    """The band of ``spread``; where its lower edge has no place on a logarithmic axis, it ends at the curve."""
    low, high = (
        [
            y + sign * s if _has_place(y + sign * s, log=log) else y
            for y, s in zip(series.y, series.spread, strict=True)
        ]
        for sign in (-1, 1)
    )
    axes.fill_between(
        series.x, low, high, color=f"#fe00{series.colour:02x}", alpha=0.18, linewidth=0, zorder=2
    )


def _scale(axes: Axes, values: Sequence[float], *, log: bool) -> None:
    if not log:
        axes.set_ylim(1.05 * min([0, *values]), 1.05 * max([0, *values]) or (0 if any(values) else 1))
    elif values:
        axes.set_yscale("log")
        axes.set_ylim(min(values) / 1.3, max(values) * 1.3)


def spans(series: Sequence[ChartSeries], factor: float) -> bool:
    """Whether the values are positive and span more than a factor: then a logarithmic axis shows them better."""
    values = [y for item in series for y in item.y if math.isfinite(y)]
    return bool(values) and min(values) > 0 and max(values) > factor * min(values)


def _svg(figure: Figure, title: str) -> dict[str, Any]:
    """The figure as what the template wants of it; its text is escaped by matplotlib, which wrote it."""
    out = io.StringIO()
    figure.savefig(out, format="svg")
    box, drawing = re.findall(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>(.*)</svg>', out.getvalue(), re.DOTALL)[0]
    for pattern, by in _TIDY.items():
        drawing = re.sub(pattern, by, drawing, flags=re.DOTALL)
    return {"title": title, "box": box, "drawing": Markup(drawing)}
