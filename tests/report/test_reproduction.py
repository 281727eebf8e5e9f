"""The page of a reproduction and the gallery, on planted evidence."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.markup import Markup

from residua.cli.report import report
from residua.cli.reproduce import reproduce
from residua.errors import ResiduaError, UsageError
from residua.experiments.catalogue import claims
from residua.report import render_gallery, render_reproduction
from residua.report.experiment_charts import pictures, words
from residua.report.experiment_result import find_results, over_seeds, read_result
from residua.report.seed_chart import SeedRow, seed_chart
from residua.report.translation import messages, translator

EN = translator("en")


def page(path, **options):
    return Markup(render_reproduction(path, **options).read_text(encoding="utf-8"))


def test_a_page_says_everything_that_the_result_holds(make_result):
    path = make_result()
    shown = page(path)
    assert shown.sections == [
        "claim",
        "published_section",
        "figure_section",
        "measured_section",
        "checks",
        "caveats",
        "misquotes",
        "arms",
        "time",
        "repeat",
    ]
    for said in ("X1", "degradation: a deeper plain net", "8.75", "unconfirmed", "in words", "so they say"):
        assert said in shown.text, said
    for said in ("the truth", "cifar_plain20", "5 ± 1.4", "p 0.0001", "a caveat", "1 min 45 s", "Some CPU"):
        assert said in shown.text, said
    assert "residua reproduce he2015/degradation --data 'my data'" in shown.text
    assert "https://arxiv.org/abs/1512.03385" in shown.links


def test_statements_of_one_verdict_stand_in_one_table(make_result):
    checks = [
        {"text": f"statement {i}", "status": "reproduced" if i < 12 else "undecided", "reason": f"p {i}"}
        for i in range(13)
    ]
    markup = render_reproduction(make_result(checks=checks)).read_text(encoding="utf-8")
    section = markup[markup.index('id="checks"') : markup.index('id="caveats"')]
    assert section.count('class="badge') == 2 and section.count("<table") == 2
    assert all(f"statement {i}<" in section for i in range(13))


def test_names_that_only_the_program_knows_are_not_on_the_page(make_result):
    arms = [{"name": "plain-20", "model": "cifar_plain20", "options": {"panel": 0, "images": 8}}]
    shown = page(make_result(arms=arms, measures=["spoilt"])).text
    assert "panel" not in shown and "images=8" in shown
    assert words("from_the_stretch_s_start", EN) == "from the stretch's start"
    assert "spoilt" not in words("spoilt", EN)


def test_the_chinese_page_has_chinese_words(make_result):
    shown = page(make_result(), lang="zh")
    assert ("html", {"lang": "zh-Hans"}) in shown.tags
    assert (
        "方向已复现" in shown.text
        and "测试错误率" in shown.text
        and "更深的普通网络训练误差更高" in shown.text
    )
    for en, zh in zip(messages("en").values(), messages("zh").values(), strict=True):
        words = [part for part in re.split(r"\{\w+\}", en) if len(part.split()) > 2]
        assert not any(part in shown.text for part in words) or en == zh, en


def test_published_figures_of_other_training_are_not_set_against_the_measured(make_result):
    assert "not comparable here" in page(make_result()).text
    assert "not comparable here" not in page(make_result(scale="paper")).text
    assert (
        "not comparable here" not in page(make_result(recipe=None)).text
    )  # nothing was trained: exact counts


@pytest.mark.parametrize(
    "verdict", ["reproduced", "not reproduced", "undecided", "not judged at this scale", "odd"]
)
def test_the_verdict_is_shown_with_its_reason(make_result, verdict):
    shown = page(make_result(verdict=verdict, reason="it needs cifar10"))
    kind = {"reproduced": "good", "not reproduced": "bad"}.get(verdict, "open")
    assert ("div", {"class": f"verdict {kind}"}) in shown.tags
    assert "it needs cifar10" in shown.text


def test_an_experiment_that_was_not_run_has_a_page(make_result):
    shown = page(make_result(evidence={}, table=[], checks=[], arms=[], recipe=None, data={}, published=[]))
    assert "figure_section" not in shown.sections and "measured_section" not in shown.sections
    assert "The paper prints no number here." in shown.text


def test_curves_are_drawn_as_in_the_paper(make_result):
    """A panel for the plain nets and one for the residual; training thin and dashed, test bold; bands over seeds."""
    charts = pictures(read_result(make_result()), EN)
    assert [re.findall("<figcaption>(.*?)<", chart)[0] for chart in charts] == [
        "Error by epoch, plain",
        "Error by epoch, ResNet",
        "Training error (%)",
        "Test error (%)",
    ]
    curves = re.findall(r'style="(fill: none;[^"]*var\(--s(\d)\)[^"]*)"', charts[0])
    bold = "stroke-width: 2.4"
    looks = [(colour, "dasharray" in style, bold in style) for style, colour in curves]
    assert looks == [("0", True, False), ("0", False, True), ("1", True, False), ("1", False, True)]
    assert charts[0].count("fill-opacity: 0.18") == 4
    assert charts[0].count("<li>") == 2  # one name a colour


def test_without_test_curves_a_star_marks_the_end(make_result):
    path = make_result()
    values = json.loads(path.read_text())
    for seeds in values["evidence"].values():
        for measured in seeds.values():
            del measured["curve_test_error"]
    path.write_text(json.dumps(values))
    first = pictures(read_result(path), EN)[0]
    assert first.count("<li>") == 2 and len(re.findall(r'<use [^>]* x="3[^>]*--s[01]', first)) == 2


def test_long_curves_are_cut_off_above(make_result):
    curve = [90.0] * 5 + [10.0] * 45
    one = {"curve_epoch": [*range(1, 51)], "curve_train_error": curve, "curve_test_error": curve}
    chart = pictures(read_result(make_result(evidence={"a": {"0": one}})), EN)[0]
    ticks = [float(tick) for tick in re.findall(r">(\d+)</text>", chart)]
    assert 90.0 not in ticks and 80.0 not in ticks and 10.0 in ticks


def test_lists_are_drawn_over_x_and_numbers_as_dots(make_result):
    evidence = {
        name: {str(seed): {"x": [2, 4, 6], "std": [1.0, factor, 0.5], "half": 0.5} for seed in range(2)}
        for name, factor in (("plain", 2.0), ("ResNet", 0.1))
    }
    path = make_result(figure="series", measures=["std", "half"], evidence=evidence, published=[], table=[])
    charts = pictures(read_result(path), EN)
    assert [re.findall("<figcaption>(.*?)<", chart)[0] for chart in charts] == ["std", "half"]
    assert {"2", "4", "6"} <= set(re.findall(r">(\d)</text>", charts[0]))
    assert charts[1].count('class="seed"') == 4


def test_the_abscissa_is_named_and_never_read_as_mathematics(make_result):
    def chart(label, lang="en"):
        one = {"x": [1, 2], "x_label": label, "std": [1.0, 2.0]}
        path = make_result(figure="series", measures=["std"], evidence={"a": {"0": one}})
        return pictures(read_result(path), translator(lang))[0]

    assert "number of units deleted" in chart("number of units deleted")
    assert "删除的单元数" in chart("number of units deleted", "zh")
    assert "$\\frac{" in chart("$\\frac{ \x00")


def test_the_seventh_arm_is_told_from_the_first(make_result):
    evidence = {f"arm {i}": {"0": {"x": [1, 2], "std": [i, i + 1.0]}} for i in range(7)}
    chart = pictures(read_result(make_result(figure="series", measures=["std"], evidence=evidence)), EN)[0]
    first, seventh = (item for item in chart.split("<li>")[1:] if "--s0" in item)
    assert "dasharray" not in first and "dasharray" in seventh


def test_dots_stand_where_the_values_are():
    rows = [SeedRow("a", [0.0, 100.0], [50.0]), SeedRow("b", [25.0])]
    chart = seed_chart(rows, title="t")
    places = [float(p) for p in re.findall(r'class="(?:seed|mark)" style="left:([\d.]+)%', chart)]
    low, high, mark, quarter = places
    assert mark == pytest.approx((low + high) / 2) and quarter == pytest.approx(
        low + (high - low) / 4, abs=0.01
    )
    logs = seed_chart([SeedRow("a", [1e-14]), SeedRow("b", [1e-6]), SeedRow("c", [1e2])], title="t")
    low, middle, high = (float(p) for p in re.findall(r'class="seed" style="left:([\d.]+)%', logs))
    assert middle == pytest.approx((low + high) / 2, abs=0.01)
    assert seed_chart([SeedRow("a", [])], title="t") is None


HARD = st.floats() | st.sampled_from([0.0, 5e-324, 1e300, 1.7e308, -1e300, 1e-60, 1.0 + 1e-15])


@given(st.lists(st.lists(HARD, max_size=4), min_size=1, max_size=3))
def test_any_numbers_are_shown_as_dots(values):
    chart = seed_chart([SeedRow(f"r{i}", own, own) for i, own in enumerate(values)], title="t")
    assert chart is None or not re.search("nan|inf", chart)


def test_numbers_beyond_what_is_drawn_are_left_out(make_result):
    huge = {
        "0": {"test_error": 1.7e308},
        "1": {"test_error": -1.7e308},
        "2": {"test_error": 10**400},
        "3": {"test_error": 2.0},
    }
    huge["4"] = {"curve_train_error": [1.7e308, 1.7e308], "test_error": 1.7e308}
    huge["5"] = huge["4"]
    path = make_result(evidence={"plain-20": huge, "plain-56": huge})
    assert read_result(path).seeds("plain-20", "test_error") == [2.0]
    assert pictures(read_result(path), EN)


def test_means_over_seeds_take_what_is_there():
    samples = over_seeds([[1.0, float("nan")], [3.0, 5.0, 7.0]])
    assert [sample and (sample.n, sample.mean) for sample in samples] == [(2, 2.0), (1, 5.0), (1, 7.0)]
    assert over_seeds([[float("nan")]]) == [None]


HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>$\\frac{ \ud800\x00{evil}%s"


def poison(value, key=""):
    if isinstance(value, dict):
        return {k: poison(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [poison(item, key) for item in value]
    return value + HOSTILE if isinstance(value, str) and key not in ("figure", "verdict") else value


def test_hostile_text_stays_text_and_links_only_to_the_web(make_result, tmp_path):
    path = make_result()
    values = poison(json.loads(path.read_text()))
    values["evidence"] = {arm + HOSTILE: seeds for arm, seeds in values["evidence"].items()}
    values["published"][0]["url"] = "javascript:alert(1)"
    path.write_text(json.dumps(values))
    for shown in (page(path), Markup(render_gallery(tmp_path).read_text(encoding="utf-8"))):
        tags = [tag for tag, _ in shown.tags]
        assert tags.count("script") == 1 and "img" not in tags
        assert not any(name.startswith("on") for _, attrs in shown.tags for name in attrs)
        assert not any(link.startswith("javascript") for link in shown.links)
        assert "<script>alert(1)" in shown.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"checks": 3}, "checks must be a list, not 3"),
        ({"table": [{"arm": "a"}]}, r"table\[0\] lacks 'measure'"),
        ({"evidence": []}, "evidence must be a table"),
        ({"seconds": -1}, "seconds must be a number from 0"),
        ({"claims": [{"id": None, "text": ""}]}, r"claims\[0\].id must be text"),
        ({"command": "rm"}, "command must be a list"),
    ],
)
def test_a_damaged_result_is_refused_in_one_line(make_result, change, said):
    path = make_result(**change)
    with pytest.raises(ResiduaError, match=said) as error:
        render_reproduction(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def test_a_file_of_another_kind_is_refused(make_result, tmp_path):
    path = make_result()
    path.write_text("{")
    with pytest.raises(ResiduaError, match="is not valid JSON"):
        render_reproduction(path)
    path.write_text('{"schema": 1}')
    with pytest.raises(ResiduaError, match="lacks 'experiment'"):
        render_reproduction(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["0", "x", "curve_epoch", "curve_train_error", "test_error"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_evidence_is_shown(make_result, data):
    evidence = {arm: data.draw(JSON) for arm in ("plain-20", "plain-56")}
    loose = {
        key: data.draw(st.dictionaries(st.text(max_size=3), JSON, max_size=3))
        for key in ("data", "machine", "failed")
    }
    figure = data.draw(st.sampled_from(["curves", "bars", "series", "?"]))
    page(make_result(evidence=evidence, figure=figure, **loose))


def test_the_page_is_the_same_bytes_each_time_and_replaces_only_itself(make_result, tmp_path):
    path = make_result()
    own = render_reproduction(path)
    assert own == path.parent / "report.html"
    first = own.read_bytes()
    assert render_reproduction(path).read_bytes() == first
    other = tmp_path / "page.html"
    other.write_text("mine")
    with pytest.raises(UsageError, match="exists; --overwrite"):
        render_reproduction(path, out=other)
    assert render_reproduction(path, out=other, overwrite=True).read_bytes() == first
    with pytest.raises(UsageError, match="no language"):
        render_reproduction(path, lang="fr")


def test_the_gallery_leads_to_every_page_and_lists_every_claim(make_result, tmp_path):
    make_result()
    make_result(
        "he2016/orders", scale="small", verdict="undecided", claims=[{"id": "X11", "text": "t", "zh": "z"}]
    )
    shown = Markup(render_gallery(tmp_path).read_text(encoding="utf-8"))
    assert {"he2015/degradation/quick/report.html", "he2016/orders/small/report.html"} <= set(shown.links)
    assert len([tag for tag, attrs in shown.tags if attrs.get("class") == "card"]) == 2
    for claim in claims():
        assert re.search(rf"\b{claim}\b", shown.text)
    assert shown.text.count("no result yet") == len(claims()) - 2


def test_a_damaged_result_does_not_hide_the_others(make_result, tmp_path, capsys):
    make_result()
    make_result("he2016/orders").write_text("{")
    assert report([tmp_path]) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and "is not valid JSON" in said.err
    assert said.out == f"{tmp_path / 'index.html'}\n"
    assert "is not valid JSON" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_the_verb_finds_a_result_by_file_by_folder_and_by_the_folder_of_all(make_result, tmp_path, capsys):
    path = make_result()
    for named in (path, path.parent):
        assert report([named], json=True) == 0
        assert json.loads(capsys.readouterr().out)["report"] == str(path.parent / "report.html")
    assert report([tmp_path], lang="zh", json=True) == 0
    assert json.loads(capsys.readouterr().out)["pages"] == [
        str(path.parent / "report.html"),
        str(tmp_path / "index.html"),
    ]
    with pytest.raises(UsageError, match="one path"):
        report([path, path.parent])
    with pytest.raises(UsageError, match="holds 1 results"):
        report([tmp_path], out=tmp_path / "one.html")


def test_the_runs_of_a_grid_are_no_results(make_result, make_run, tmp_path):
    path = make_result()
    make_run("resnet-s0", parent=tmp_path / "runs" / "digits-00")
    cell = tmp_path / "runs" / "digits-00" / "plain-s0" / "result.json"
    cell.parent.mkdir()
    cell.write_text("{}")  # of a long grid, this is what is committed of a run
    assert find_results(tmp_path) == [path]
    assert find_results(tmp_path / "runs" / "digits-00" / "resnet-s0") == []


def test_reproduce_leaves_a_page_beside_each_result_and_the_gallery(
    make_result, tmp_path, monkeypatch, capsys
):
    path = make_result()
    monkeypatch.setattr(
        "residua.experiments.reproduce.reproduce", lambda *_, **__: [json.loads(path.read_text())]
    )
    assert reproduce(["he2015/degradation"], out=tmp_path, lang="zh") == 0
    said = capsys.readouterr().out
    assert f"  {path.parent / 'report.html'}\n" in said and said.endswith(
        f"all results: {tmp_path / 'index.html'}\n"
    )
    assert "方向已复现" in (path.parent / "report.html").read_text(encoding="utf-8")
    assert "he2015/degradation/quick/report.html" in (tmp_path / "index.html").read_text(encoding="utf-8")


TRAIL = {"toward": [1.0, 1.0, 3.5, 61.0], "against": [1.0, 1.0, 0.2, 0.05], "alike": [1.0, 1.0, 0.4, 0.1]}
EFFECT = {
    "kind": "difference",
    "n": 4,
    "mean": 4.25,
    "sd": 0.5,
    "low": 2.0,
    "high": 6.5,
    "bound": 0.0,
    "smallest": 0.5,
    "more_seeds": 1,
}


def _measured(status="direction reproduced", **effect):
    return {"text": "deeper is worse", "status": status, "reason": "in English", "decides": True} | {
        "trail": TRAIL,
        "effect": EFFECT | effect,
    }


def test_the_e_value_after_every_seed_is_drawn_and_stands_in_a_table(make_result):
    said = page(make_result(checks=[_measured()])).text
    assert "difference 4.25 ± 0.5 (n = 4); between 2 and 6.5; E-value 61 for it, 0.05 against it" in said
    assert "0.1 for a difference below 0.5" in said
    assert "E-values, seed by seed" in said
    assert "61" in said and "decides (40)" in said
    assert "would still take" not in said, "it is decided"


def test_what_is_open_says_how_many_seeds_more(make_result):
    chinese = page(make_result(checks=[_measured("undecided", more_seeds=7)]), lang="zh")
    assert "再加 7 个种子即可判定" in chinese.text
    far = page(make_result(checks=[_measured("undecided", more_seeds=None)]))
    assert "more than a thousand further seeds" in far.text


def test_a_reading_is_marked_and_an_old_result_has_its_reason(make_result):
    marked = page(make_result(checks=[_measured() | {"decides": False}]))
    assert "residua's reading: it decides no verdict" in marked.text
    old = {"text": "deeper is worse", "status": "undecided", "reason": "p 0.2"}
    shown = page(make_result(checks=[old]))
    assert "p 0.2" in shown.text
    assert "e_values" not in shown.sections


def test_the_gallery_says_what_holds_of_all_claims_together(make_result, tmp_path):
    make_result(checks=[_measured() | {"trail": {**TRAIL, "toward": [1.0, 1e6]}}])
    assert "shown 1 (X1); refuted 0; open 0" in _gallery(tmp_path)
    make_result(checks=[_measured()])  # 61 of two hypotheses is enough, 39 would not be
    assert "shown 1 (X1)" in _gallery(tmp_path)
    make_result(checks=[_measured() | {"trail": {**TRAIL, "toward": [1.0, 39.0]}}])
    assert "open 1 (X1)" in _gallery(tmp_path)


def _gallery(folder):
    return Markup(render_gallery(folder).read_text(encoding="utf-8")).text
