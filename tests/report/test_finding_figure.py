import math
import re

import numpy as np
import pytest
from PIL import Image

from residua.analysis.finding import Curve, Finding, Panel, Surface, lines
from residua.errors import ResiduaError, UsageError
from residua.report import finding_figure as room
from residua.report.finding_figure import draw_finding


def _panel(title="Curves", *labels, surface=None, **options):
    curves = [Curve(label=label, x=[1, 2, 4], y=[1.0, math.nan, 3.0 + i]) for i, label in enumerate(labels)]
    return Panel(title=title, x_label="x", y_label="y", curves=curves, surface=surface, **options)


def _bars(label):
    return Curve(label=label, x=[1, 2], y=[1, 2], style="bars")


def _finding(*panels, title="Title"):
    return Finding(kind="kind", title=title, columns=(), rows=[], sentence="", panels=panels)


def _svg(tmp_path, findings):
    path = tmp_path / "figure.svg"
    draw_finding(findings, path)
    return re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text())


def _map(z, **options):
    return Surface(x=range(len(z[0])), y=range(len(z)), z=z, label="what z is", **options)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".PDF"])
def test_every_format_by_the_name_of_the_file(tmp_path, suffix):
    path = tmp_path / f"figure{suffix}"
    draw_finding({"net": _finding(_panel("Curves", "a", "b"))}, path)
    head = path.read_bytes()[:5]
    assert head in (b"\x89PNG\r", b"<?xml", b"%PDF-")
    assert not list(tmp_path.glob(".*"))


def test_the_same_bytes_each_time(tmp_path):
    findings = {"net": _finding(_panel("Curves", "a", "b"), _panel("Map", surface=_map([[1, 2], [3, 500]])))}
    drawn = []
    for name in ("a.svg", "b.svg"):
        draw_finding(findings, tmp_path / name)
        drawn.append((tmp_path / name).read_bytes())
    assert drawn[0] == drawn[1]


def test_titles_labels_and_legend_stand_in_the_figure(tmp_path):
    found = _svg(tmp_path, {"net": _finding(_panel("Curves", "first", "second"))})
    assert {"Title: net", "Curves", "x", "y", "first", "second"} <= set(found)


def test_one_curve_needs_no_legend(tmp_path):
    assert "only" not in _svg(tmp_path, {"net": _finding(_panel("Curves", "only"))})


def test_networks_share_panels_and_are_named_by_their_curves(tmp_path):
    two = {name: _finding(_panel("One", "std"), _panel("Two", "a", "b")) for name in ("plain", "residual")}
    found = _svg(tmp_path, two)
    assert found.count("One") == found.count("Two") == 1
    assert {"plain", "residual", "plain: a", "residual: b", "Title: plain, residual"} <= set(found)


def test_maps_of_networks_stand_beside_each_other_on_one_scale(tmp_path):
    from residua.report.finding_figure import _scales

    found = _svg(tmp_path, {n: _finding(_panel("Map", surface=_map([[1, 2], [3, 4]]))) for n in ("a", "b")})
    assert {"a: Map", "b: Map"} <= set(found)
    scale = _scales([_map([[1, 2], [3, 4]]), _map([[0.5, 2], [3, 9]])])["what z is"]
    assert (scale.low, scale.high, scale.log) == (0.5, 9, False)
    assert _scales([_map([[1e-3, 2], [3, math.nan]])])["what z is"].log
    assert not _scales([_map([[1e-3, 2], [3, 4]], contours=False)])["what z is"].log


def test_a_dollar_in_a_name_is_a_dollar(tmp_path):
    found = _svg(tmp_path, {"$a_b$": _finding(_panel("cost in $x^2$", "a", "b"))})
    assert {"Title: $a_b$", "cost in $x^2$"} <= set(found)


def test_few_steps_on_a_logarithmic_axis_are_all_written(tmp_path):
    curve = Curve(label="error", x=[1, 0.5, 0.25, 0.125], y=[1e-1, 1e-2, 0.0, 1e-4])
    panel = Panel(title="Order", x_label="h", y_label="error", curves=[curve], log_x=True, log_y=True)
    found = _svg(tmp_path, {"net": _finding(panel)})
    assert {"1", "1/2", "1/4", "1/8"} <= set(found)


def test_curves_differ_without_colour(tmp_path):
    path = tmp_path / "figure.svg"
    draw_finding({"net": _finding(_panel("Curves", "a", "b", "c"))}, path)
    svg = path.read_text()
    dashes = set(re.findall(r"stroke-dasharray: ([0-9., ]+)", svg))
    assert len(dashes) >= 2  # and the first is solid


@pytest.mark.parametrize(
    "panel",
    [
        _panel("Nothing"),
        Panel(title="Bars", x_label="", y_label="", curves=[_bars("a"), _bars("b")]),
        Panel(title="Dead", x_label="", y_label="", curves=[Curve(label="a", x=[1], y=[0.0])], log_y=True),
        Panel(title="Gaps", x_label="", y_label="", curves=[Curve(label="a", x=[1, 2], y=[math.nan, math.inf])]),
        _panel("Flat", surface=_map([[1, 1], [1, 1]])),
        _panel("Gone", surface=_map([[math.nan, math.nan], [math.inf, math.nan]])),
        _panel("Many", *"abcdefghi"),
    ],
    ids=lambda panel: panel.title,
)  # fmt: skip
def test_odd_findings_are_drawn_all_the_same(tmp_path, panel):
    draw_finding({"net": _finding(panel)}, tmp_path / "figure.png")
    assert Image.open(tmp_path / "figure.png").size[0] > 300


def test_heat_is_laid_over_its_picture(tmp_path):
    def draw(z):
        grey = [[0.5] * 8 for _ in range(8)]
        draw_finding(
            {"net": _finding(_panel("cat", surface=_map(z, contours=False, picture=grey)))},
            tmp_path / "a.png",
        )
        return np.asarray(Image.open(tmp_path / "a.png").convert("RGB"), dtype=int)

    cold, hot = draw([[0.0] * 8] * 8), draw([[0.0] * 8] * 4 + [[1.0] * 8] * 4)
    changed = np.abs(cold - hot).sum(2) > 60
    height = changed.shape[0]
    assert changed[: height // 3].mean() < 0.01  # what is cold shows the picture
    assert changed[height * 3 // 5 : height * 4 // 5].mean() > 0.3
    assert not changed.all()


def test_a_wrong_name_and_a_missing_folder_are_one_line(tmp_path):
    with pytest.raises(UsageError, match=r"a figure is .png, .svg, .pdf, not figure.gif"):
        draw_finding({"net": _finding(_panel("Curves", "a"))}, tmp_path / "figure.gif")
    with pytest.raises(ResiduaError, match="cannot write"):
        draw_finding({"net": _finding(_panel("Curves", "a"))}, tmp_path / "none" / "figure.png")


LONG = "Gradient by the product of the units' Jacobians, each factor built from its part alone, and the naive product"


@pytest.mark.parametrize("panels", [1, 2, 3])
def test_no_title_and_no_label_is_cut_off(panels):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    long = {"title": LONG, "x_label": LONG, "y_label": LONG, "curves": [Curve(label="a", x=[1, 2], y=[1, 2])]}
    finding = _finding(*(Panel(**long) for _ in range(panels)), title=LONG)
    with room._drawn({"a network with a long name " * 3: finding}) as figure:
        FigureCanvasAgg(figure).draw()
        told = [
            *figure.texts,
            *(t for axes in figure.axes for t in (axes.title, axes.xaxis.label, axes.yaxis.label)),
        ]
        width, height = figure.bbox.width, figure.bbox.height
        for text in told:
            box = text.get_window_extent()
            assert box.x0 >= -1 and box.x1 <= width + 1 and box.y0 >= -1 and box.y1 <= height + 1, text


def test_an_axis_that_counts_has_whole_numbers(tmp_path):
    counts = Panel(
        title="T", x_label="unit", y_label="n", curves=[Curve(label="a", x=[1, 2, 3], y=[0, 1, 2])]
    )
    assert not [
        tick for tick in _svg(tmp_path, {"net": _finding(counts)}) if re.fullmatch(r"[\d.]+\.[\d]+", tick)
    ]


def test_a_zero_without_a_place_is_counted(tmp_path):
    drawn = lines("T", "y", {"a": [1.0, 0.0, None, 3.0], "b": [-1.0, 2.0, 3.0, 4.0]}, log_y=True)
    assert drawn.left_out == 2
    assert "(values of 0 or below, which have no place: 2)" in _svg(tmp_path, {"net": _finding(drawn)})
    both = {"net": _finding(drawn), "other": _finding(drawn)}
    assert "(values of 0 or below, which have no place: 4)" in _svg(tmp_path, both)
    assert lines("T", "y", {"a": [1.0, 0.0]}).left_out == 0


def test_an_apostrophe_stays(tmp_path):
    assert "from the stretch's start" in _svg(
        tmp_path, {"net": _finding(_panel("Curves", "from the stretch's start", "b"))}
    )
