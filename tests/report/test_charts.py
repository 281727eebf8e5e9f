import math
import re
import warnings
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from residua.report.charts import COLOURS, MOST_POINTS, ChartSeries, line_chart, matrix_chart
from residua.report.translation import translator

T = translator("en")


def chart(series, **changes):
    return line_chart(series, t=T, title="T", x_label="epoch", y_label="error (%)", **changes)


def series(y, **changes):
    return ChartSeries(**({"label": "a", "x": list(range(len(y))), "y": y} | changes))


def drawing(markup):
    return re.search(r"<svg .*?</svg>", markup, re.DOTALL)[0]


def test_a_figure_is_the_same_bytes_each_time_and_has_no_date():
    first = chart([series([3, 2, 1])])
    assert chart([series([3, 2, 1])]) == first
    assert "<dc:" not in first and "matplotlib" not in first


def test_figures_on_one_page_share_no_references():
    ids = [
        set(
            re.findall(r'id="([^"]+)"', line_chart([series([3, 2, 1])], t=T, title=t, x_label="", y_label=""))
        )
        for t in "AB"
    ]
    assert ids[0] and not ids[0] & ids[1]


def test_every_colour_comes_from_the_page():
    many = [series([i, i + 1], label=str(i), colour=i) for i in range(COLOURS + 2)]
    markup = chart(many)
    assert "#" not in re.sub(r'(href="|url\()#\w+', "", markup)
    assert {f"var(--s{i})" for i in range(COLOURS)} <= set(re.findall(r"var\(--s\d\)", markup))
    assert "var(--s6)" not in markup


def test_text_stays_text_and_chinese_needs_no_font():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        markup = line_chart([series([1, 2])], t=T, title="每轮", x_label="轮", y_label="错误率（%）")
    texts = "".join(ET.fromstring(drawing(markup).replace("xlink:href", "href")).itertext())
    assert "错误率（%）" in texts and "轮" in texts


def test_names_are_never_read_as_mathematics_or_markup():
    markup = chart([series([1, 2], label="$\\frac{1}$ <b>"), series([2, 1], label="other")])
    assert "$\\frac{1}$ &lt;b&gt;" in markup


def test_what_a_figure_cannot_show_is_counted():
    gaps = chart([series([1, 0, -1, math.nan, 2])], log=True)
    assert "left out: 3" in gaps
    assert "left out" not in chart([series([1, 0, 2])])


def test_one_point_alone_is_seen():
    assert "<use" in drawing(chart([series([1.0], label="only")])).split("epoch")[0]
    path = re.findall(r'<path d="M [^"]*" clip-path[^>]*var\(--s0\)', chart([series([1.0])]))
    markers = re.findall(r'<use xlink:href="[^"]*"[^>]*var\(--s0\)', chart([series([1.0])]))
    assert markers, path


def test_long_curves_are_thinned_and_keep_their_end():
    long = [math.sin(i) for i in range(200_000)]
    markup = chart([series([abs(v) for v in long[:-1]] + [7.0])])
    assert len(markup) < 40 * MOST_POINTS
    assert "7" in "".join(re.findall(r">(\d)</text>", markup))  # the axis reaches the last point


def test_a_legend_names_two_curves_and_not_one():
    assert "legend" not in chart([series([1, 2])])
    assert chart([series([1, 2]), series([2, 1], label="b")]).count("<li>") == 2


HARD = st.floats() | st.sampled_from([0.0, 5e-324, 1e-300, 1e300, 1.7e308, math.inf, -math.inf, math.nan])


@settings(max_examples=12)
@given(st.lists(HARD, max_size=6), st.booleans())
def test_any_numbers_are_drawn_or_left_out(y, log):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        markup = chart([series(y)], log=log)
    ET.fromstring(drawing(markup).replace("xlink:href", "href"))


@pytest.mark.parametrize("size", [1, 26, 1000])
def test_a_matrix_is_one_picture(size):
    matrix = [[float(i == j) for j in range(size)] for i in range(size)]
    markup = matrix_chart(matrix, title="M", x_label="x", y_label="y")
    assert markup.count("<image") == 1 and "pixelated" in markup
    assert len(markup) < 60_000


def test_every_point_tells_its_value_and_stands_where_it_is_drawn():
    markup = chart(
        [series([10.0, 5.0, 2.5], label="a <b>"), series([9.0, 8.0, 7.0], label="b", said="b, test")]
    )
    assert (
        "<title>a &lt;b&gt;: 2.5 (epoch 2)</title>" in markup
        and "<title>b, test: 9 (epoch 0)</title>" in markup
    )
    places = [tuple(map(float, found)) for found in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', markup)]
    line = re.findall(r'<path d="M ([\d.]+) ([\d.]+)[^"]*"[^>]*var\(--s0\)', markup)[0]
    assert places[0] == pytest.approx(tuple(map(float, line)), abs=0.1)
    assert len(places) == 6 and places[0][1] < places[1][1] < places[2][1]


def test_a_table_holds_the_values_behind_the_curves():
    markup = chart([series([3.0, 2.0]), series([1.5], label="b", x=[1])])
    table = markup[markup.index("<details") : markup.index("</details>")]
    assert "<summary>Values</summary>" in table and "some" not in table
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", table)
    assert cells == ["epoch", "a", "b", "0", "3", "", "1", "2", "1.5"]
    long = chart([series([float(i) for i in range(1001)])])
    assert long.count("<tr>") <= 102 and ">1,000</th>" in long and "of 1,001 rows" in long
