import re

import pytest

from residua.report import quality, read_run
from residua.report.translation import translator

T = translator("en")


def inspected(make_run, **parts):
    return read_run(make_run(inspected={"schema": 1, **parts}, classes=["cat", "dog"]))


def cells(markup):
    return [
        re.sub("<[^>]+>", "", cell).replace("\N{NO-BREAK SPACE}", " ")
        for cell in re.findall("<t[hd].*?</t[hd]>", markup)
    ]


def confused(section, run):
    return section("confusion", quality.confusion(run, T))


def test_a_small_matrix_shows_its_numbers_and_blanks_for_nothing(section, make_run):
    markup = confused(section, inspected(make_run, confusion=[[90, 10], [0, 50]], classes=["cat", "dog"]))
    assert cells(markup) == ["", "cat", "dog", "cat", "90", "10", "dog", "", "50"]
    assert "140 of 150 are right" in markup
    strengths = [float(x) for x in re.findall(r"--share:([\d.]+)", markup)]
    assert strengths[2] == 0 < strengths[1] < strengths[0] < strengths[3] == quality.DARKEST


def test_one_mistake_in_a_thousand_is_still_seen(section, make_run):
    markup = confused(section, inspected(make_run, confusion=[[999, 1], [0, 1]]))
    assert float(re.findall(r"--share:([\d.]+)", markup)[1]) >= quality.DARKEST * quality.PALEST


def test_a_large_matrix_names_its_most_frequent_confusions(section, make_run, make_inspection):
    n = quality.READABLE + 1
    matrix = [[100 * (i == j) for j in range(n)] for i in range(n)]
    matrix[3][5], matrix[7][1] = 9, 30
    markup = confused(section, inspected(make_run, confusion=matrix))
    assert "<image" in markup
    assert cells(markup)[4:] == ["7", "1", "30", "23.08 %", "3", "5", "9", "8.26 %"]
    flawless = [[100 * (i == j) for j in range(n)] for i in range(n)]
    run = read_run(make_run("b", inspected={"schema": 1, "confusion": flawless}))
    assert "No image was confused" in confused(section, run)


def test_the_worst_class_is_first_and_an_empty_one_last(section, make_run):
    rows = [("a", 3, 0.9, 0.8), ("b", 0, None, None), ("c", 5, 0.0, None)]
    listed = [dict(zip(("class", "n", "recall", "precision"), row, strict=True)) for row in rows]
    shown = cells(section("classes", quality.classes(inspected(make_run, per_class=listed), T)))
    assert [shown[i] for i in (4, 8, 12)] == ["c", "a", "b"]
    assert shown[12:] == ["b", "0", "–", "–"]


def test_empty_bins_are_left_out(section, make_run):
    bins = [{"confidence": None, "accuracy": None, "n": 0}, {"confidence": 0.9, "accuracy": 0.8, "n": 5}]
    markup = section(
        "calibration", quality.calibration(inspected(make_run, reliability=bins, ece=0.1, nll=0.5), T)
    )
    assert cells(markup)[-3:] == ["90.00 %", "80.00 %", "5"]
    assert "0.5000" in markup and quality.calibration(inspected_empty(make_run), T) is None


def inspected_empty(make_run):
    return read_run(make_run("empty", inspected={"schema": 1, "reliability": []}))


@pytest.mark.parametrize(("size", "small"), [(8, True), (100, False)])
def test_only_small_pictures_are_enlarged_without_smoothing(section, make_run, make_png, size, small):
    mistake = {"true": "cat", "predicted": "dog", "confidence": 0.75, "path": None, "png": make_png(0, size)}
    markup = section("mistakes", quality.mistakes(inspected(make_run, mistakes=[mistake]), T))
    assert ('class="small"' in markup) is small
    assert "cat → dog" in markup and "75.00" in markup


def test_no_mistake_is_something_to_say(section, make_run):
    assert "no mistake" in section("mistakes", quality.mistakes(inspected(make_run, mistakes=[]), T))
