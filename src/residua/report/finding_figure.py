"""Draw a Finding, of one network or of several beside each other: PNG, SVG or PDF, by the name of the file.

Made for paper as much as for the screen: white ground, colours that colour-blind readers tell apart (Okabe and Ito's,
cividis for maps), and a marker, a dash and a hatch of its own for each curve, so that grey print loses nothing.
"""

from __future__ import annotations

import dataclasses
import io
import math
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from residua.analysis.finding import Curve, Finding, Panel, Surface
from residua.errors import UsageError
from residua.files import write_atomic
from residua.report.charts import GRID, INK, SETTINGS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}  # the same bytes each time
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b0538a", "#c98a00", "#5b6673")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++")
_PAPER = {INK: "#1a1a1a", GRID: "#c8c8c8"}
_MARKED = 60  # points from which on a line has no markers
_FEW = 10  # values of x that are all written at a logarithmic axis
_WIDE = 50.0  # largest over smallest value from which on a map is logarithmic
_INSIDE = 4  # curves whose legend finds room inside the axes
_LEVELS = 7  # contours of a map
_PANEL_HEIGHT = 3.3  # inches
_LETTER = 0.6  # mean width of a letter, as a share of its size
_BESIDE = 0.8  # inches of a panel beside its axes, over whose middle titles stand
_STYLE: dict[str, Any] = {
    **{key: _PAPER.get(value, value) if isinstance(value, str) else value for key, value in SETTINGS.items()},
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.titlesize": 9.5,
    "axes.xmargin": 0.03,
    "svg.hashsalt": "residua",
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


@dataclass(frozen=True)
class _Pen:
    """How a curve is told from the others of its panel."""

    colour: int
    variant: int  # of marker, dash and hatch


@dataclass(frozen=True)
class _Scale:
    """From which to which value the colours of a map go."""

    low: float
    high: float
    log: bool


def draw_finding(findings: Mapping[str, Finding], path: Path) -> None:
    """Draw findings of one kind, by the names of their networks, into the file ``path``.

    Curves of several networks share the panels of the same title; maps stand beside each other on one scale. Raises
    UsageError for a file that is not .png, .svg or .pdf, ResiduaError if it cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise UsageError(f"a figure is {', '.join(FORMATS)}, not {path.name}")
    with _drawn(findings) as figure:
        options: dict[str, Any] = {"format": suffix[1:], "dpi": 160, "metadata": FORMATS[suffix]}
        write_atomic(path, lambda temporary: figure.savefig(temporary, **options))


def svg(finding: Finding) -> bytes:
    """The drawing of a finding alone, without a network's name."""
    out = io.BytesIO()
    with _drawn({"": finding}) as figure:
        figure.savefig(out, format="svg", metadata=FORMATS[".svg"])
    return out.getvalue()


@contextmanager
def _drawn(findings: Mapping[str, Finding]) -> Iterator[Figure]:
    import matplotlib
    from matplotlib.figure import Figure

    panels = _together(findings)
    style: Any = _STYLE
    with matplotlib.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        columns, width, height = _layout([panel for panel, _ in panels])
        rows = math.ceil(len(panels) / columns)
        figure = Figure(figsize=(columns * width, rows * height + 0.4), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False).flat
        scales = _scales([panel.surface for panel, _ in panels if panel.surface])
        for axes, (panel, pens) in zip(grid, panels, strict=False):
            _panel(figure, axes, panel, pens, scales, width)
        for axes in list(grid)[len(panels) :]:
            axes.set_axis_off()
        title = ": ".join(filter(None, (next(iter(findings.values())).title, ", ".join(findings))))
        figure.suptitle(_wrapped(title, columns * width, 10.5), fontsize=10.5)
        yield figure


def _together(findings: Mapping[str, Finding]) -> list[tuple[Panel, list[_Pen]]]:
    """The panels of a drawing of all findings."""
    if len(findings) == 1:
        panels = next(iter(findings.values())).panels
        return [(panel, [_Pen(i, i) for i in range(len(panel.curves))]) for panel in panels]
    shared: dict[str, tuple[Panel, list[Curve], list[_Pen]]] = {}
    left_out: Counter[str] = Counter()
    for number, (name, finding) in enumerate(findings.items()):
        for panel in finding.panels:
            if panel.surface is not None:
                panel = dataclasses.replace(panel, title=f"{name}: {panel.title}")
            _, curves, pens = shared.setdefault(panel.title, (panel, [], []))
            left_out[panel.title] += panel.left_out
            for variant, curve in enumerate(panel.curves):
                label = name if len(panel.curves) == 1 else f"{name}: {curve.label}"
                curves.append(dataclasses.replace(curve, label=label))
                pens.append(_Pen(number, number if len(panel.curves) == 1 else variant))
    drawn = [
        (dataclasses.replace(panel, curves=curves, left_out=left_out[title]), pens)
        for title, (panel, curves, pens) in shared.items()
    ]
    return sorted(drawn, key=lambda item: item[0].surface is None)  # maps first, side by side


def _layout(panels: Sequence[Panel]) -> tuple[int, float, float]:
    """Columns, and the size of a panel in inches."""
    if all(panel.surface is not None and panel.surface.picture is not None for panel in panels):
        return min(len(panels), 4), 2.1, 2.35
    columns = len(panels) if len(panels) <= 3 else 2 if len(panels) == 4 else 3
    below = max(len(panel.curves) for panel in panels)
    legend = 0.18 * math.ceil(below / 2) if below > _INSIDE else 0.0
    return columns, 5.4 if columns == 1 else 4.5 if columns == 2 else 3.9, _PANEL_HEIGHT + legend


def _panel(
    figure: Figure, axes: Axes, panel: Panel, pens: Sequence[_Pen], scales: Mapping[str, _Scale], width: float
) -> None:
    left_out = f"\n(values of 0 or below, which have no place: {panel.left_out})" if panel.left_out else ""
    axes.set_title(_wrapped(panel.title, width - _BESIDE, 9.5))
    axes.set_xlabel(_wrapped(panel.x_label, width - _BESIDE, 8.5) + left_out)
    axes.set_ylabel(_wrapped(panel.y_label, _PANEL_HEIGHT, 8.5))
    from matplotlib.ticker import MaxNLocator, NullLocator

    if panel.surface is not None:
        _surface(figure, axes, panel.surface, scales[panel.surface.label])
        return
    bars = [curve for curve in panel.curves if curve.style == "bars"]
    for curve, pen in zip(panel.curves, pens, strict=True):
        values = [_plotted(y, log=panel.log_y) for y in curve.y]
        if curve.style == "bars":
            _bars(axes, curve, values, pen, bars.index(curve), len(bars))
        else:
            _line(axes, curve, values, pen)
    if panel.log_x:
        axes.set_xscale("log")
        at = sorted({x for curve in panel.curves for x in curve.x})
        if len(at) <= _FEW:  # such as powers of two: say them
            axes.set_xticks(at, [_tick(x) for x in at])
            axes.xaxis.set_minor_locator(NullLocator())
    elif _whole(x for curve in panel.curves for x in curve.x):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if not panel.log_y and _whole(y for curve in panel.curves for y in curve.y if math.isfinite(y)):
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    if panel.log_y and any(map(math.isfinite, (_plotted(y, log=True) for c in panel.curves for y in c.y))):
        axes.set_yscale("log")
    if len(panel.curves) > _INSIDE:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    elif len(panel.curves) > 1:
        axes.legend()


def _wrapped(text: str, inches: float, points: float) -> str:
    """``_text`` in lines that find room in so many inches."""
    return "\n".join(map(_text, textwrap.wrap(text, int(inches * 72 / (_LETTER * points)))))


def _whole(values: Iterable[float]) -> bool:
    """Whether all are whole numbers: an axis that counts has no halves."""
    return all(float(value).is_integer() for value in values)


def _text(text: str) -> str:
    """Text as it is: matplotlib would read what stands between two ``$`` as mathematics."""
    return text.replace("$", r"\$")


def _plotted(y: float, *, log: bool) -> float:
    return float(y) if math.isfinite(y) and (y > 0 or not log) else math.nan


def _tick(x: float) -> str:
    parts = round(1 / x) if 0 < x < 1 else 0
    return f"1/{parts}" if parts and abs(parts * x - 1) < 1e-9 else f"{x:.3g}"


def _line(axes: Axes, curve: Curve, values: Sequence[float], pen: _Pen) -> None:
    points = curve.style == "points"
    few = points or len(values) <= _MARKED
    dash = DASHES[1] if curve.style == "dashed" and not pen.variant else DASHES[pen.variant % len(DASHES)]
    axes.plot(
        list(curve.x),
        list(values),
        label=_text(curve.label),
        color=COLOURS[pen.colour % len(COLOURS)],
        linestyle="" if points else dash,
        marker=MARKERS[pen.variant % len(MARKERS)] if few else "",
        markersize=4,
        linewidth=1.5,
    )


def _bars(axes: Axes, curve: Curve, values: Sequence[float], pen: _Pen, index: int, count: int) -> None:
    x = sorted(set(curve.x))
    width = 0.8 * min((b - a for a, b in pairwise(x)), default=1.0) / count
    axes.bar(
        [at + (index - (count - 1) / 2) * width for at in curve.x],
        list(values),
        width,
        label=_text(curve.label),
        color=COLOURS[pen.colour % len(COLOURS)],
        hatch=HATCHES[pen.variant % len(HATCHES)],
        edgecolor="white",
        linewidth=0.4,
    )


def _scales(surfaces: Sequence[Surface]) -> dict[str, _Scale]:
    """One scale of colours for all maps of the same quantity; logarithmic where it spans much."""
    scales = {}
    for label in {surface.label for surface in surfaces}:
        maps = [surface for surface in surfaces if surface.label == label]
        values = [float(z) for m in maps for row in m.z for z in row if math.isfinite(z)] or [0.0, 1.0]
        low, high = min(values), max(values)
        log = all(m.contours for m in maps) and low > 0 and high / low > _WIDE
        scales[label] = _Scale(low, high if high > low else low + 1, log)
    return scales


def _surface(figure: Figure, axes: Axes, surface: Surface, scale: _Scale) -> None:
    import numpy as np
    from matplotlib.colors import LogNorm, Normalize

    z = np.ma.masked_invalid(np.asarray(surface.z, dtype=float))
    axes.grid(visible=False)
    axes.set_box_aspect(1)
    if surface.picture is not None:
        picture = np.asarray(surface.picture, dtype=float)
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
        height, width = picture.shape[:2]
        extent = (-0.5, width - 0.5, height - 0.5, -0.5)
        alpha = np.clip(z.filled(0), 0, 1) * 0.75
        axes.imshow(z, cmap="inferno", vmin=0, vmax=1, alpha=alpha, extent=extent, interpolation="bilinear")
        if z.max() > 0.5 > z.min():  # where colours are lost in print, a line is left
            axes.contour(surface.x, surface.y, z, levels=[0.5], colors="white", linewidths=1.0)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    norm = (LogNorm if scale.log else Normalize)(scale.low, scale.high)
    mesh = axes.pcolormesh(
        surface.x, surface.y, z, norm=norm, cmap="cividis", shading="nearest", rasterized=True
    )
    figure.colorbar(mesh, ax=axes, label=_text(surface.label), shrink=0.85)
    if surface.contours and z.count() and z.max() > z.min():
        spaced = np.geomspace if scale.log else np.linspace
        levels = spaced(scale.low, scale.high, _LEVELS + 2)[1:-1]
        lines = axes.contour(surface.x, surface.y, z, levels=levels, colors="white", linewidths=0.8)
        axes.clabel(lines, fmt="%.3g", fontsize=6)
