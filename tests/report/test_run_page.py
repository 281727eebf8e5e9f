import base64
import hashlib
import json
import os
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.markup import Markup

from residua.errors import ResiduaError, UsageError
from residua.report import render_report
from residua.report.translation import messages

SECTIONS = ("curves", "schedule", "confusion", "classes", "calibration", "mistakes")
SECTIONS += ("pairs", "suspects", "leaks", "depth", "cost", "recipe", "plan", "data", "environment", "repeat")


def page(runs, **options):
    return Markup(render_report(runs, **options).read_text(encoding="utf-8"))


def test_a_whole_run_has_every_section(make_run, make_inspection):
    run = make_run("my-run", inspected=make_inspection([str(i) for i in range(10)]))
    path = render_report([run])
    assert path == run / "report.html"
    shown = Markup(path.read_text())
    assert tuple(shown.sections) == SECTIONS
    for said in (
        "cifar_resnet20 on digits",
        "98.60 %",
        "95 % interval 96.78 % – 99.40 %, 360 images",
        "269,722",
        "40.81 M",
        "14.2 s",
        "residua train 'my digits' --model cifar_resnet20",
        "train/3/broken.png",
        "compile off: the training is too short",
        "2.13.0",
    ):
        assert said in shown.text, said
    assert "Left out" not in shown.text


def test_missing_parts_are_left_out_with_one_sentence(make_run):
    shown = page([make_run()])
    assert not {"confusion", "classes", "calibration", "mistakes", "depth", "cost"} & set(shown.sections)
    assert shown.text.count("Left out") == 1
    for key in ("confusion", "mistakes", "depth", "cost"):
        assert messages("en")[key] in shown.text


def test_an_unfinished_run_says_so_and_shows_what_is_there(make_run):
    run = make_run(complete=False, epochs=3)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"event": "step", "st')
    shown = page([run])
    assert "was interrupted" in shown.text and "cut off" in shown.text
    assert "curves" in shown.sections and "Test accuracy" not in shown.text


def test_a_run_that_has_done_nothing_yet_has_a_page(make_run):
    assert "curves" not in page([make_run(complete=False, epochs=0)]).sections


@pytest.mark.parametrize("inspected", [True, False])
def test_a_chinese_page_has_no_english_sentence_left(make_run, make_inspection, inspected):
    run = make_run(
        inspected=make_inspection(["猫", "狗", "鸟"]) if inspected else None, classes=["猫", "狗", "鸟"]
    )
    shown = page([run], lang="zh")
    assert ("html", {"lang": "zh-Hans"}) in shown.tags
    for en, zh in zip(messages("en").values(), messages("zh").values(), strict=True):
        words = [part for part in re.split(r"\{\w+\}", en) if len(part.split()) > 1]
        assert not any(part in shown.text for part in words) or en == zh, en
    assert ("猫" in shown.text and "混淆矩阵" in shown.text) or not inspected


def test_a_page_loads_nothing_and_its_policy_allows_only_its_own_script(make_run, make_inspection):
    markup = render_report([make_run(inspected=make_inspection(["a", "b"]))]).read_text()
    shown = Markup(markup)
    for tag, attrs in shown.tags:
        for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            assert attrs.get(name, "#").startswith(("#", "data:image/")), (tag, attrs)
        assert tag not in ("link", "iframe", "object", "base", "form")
    assert not re.search(r"@import|url\((?!#)", markup)
    policy = next(attrs["content"] for tag, attrs in shown.tags if attrs.get("http-equiv"))
    script = re.search(r"<script>(.*?)</script>", markup, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy and "default-src 'none'" in policy


HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>$\\frac{ \ud800\x00{evil}%s"


def poison(value):
    if isinstance(value, dict):
        return {key if key in KNOWN else key + HOSTILE: poison(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [poison(item) for item in value]
    return value + HOSTILE if isinstance(value, str) else value


KNOWN = {
    "schema",
    "kind",
    "counts",
    "skipped",
    "classes",
    "command",
    "fingerprint",
    "path",
    "reason",
    "name",
    "spec",
}


# what a run cannot be without
CHECKED = {"seed": 0, "sessions": [], "storage": "", "kind": "folder", "classes": [[]], "spec": {}}


def test_hostile_text_in_every_file_stays_text(make_run, make_inspection, tmp_path):
    inspected = make_inspection(["a", "b", "c"])
    for key in ("mistakes", "per_class", "response", "cost"):
        for item in inspected[key]:
            item.update(
                {k: v + HOSTILE for k, v in item.items() if isinstance(v, str) and k not in ("png", "kind")}
            )
    inspected["classes"] = [name + HOSTILE for name in inspected["classes"]]
    runs = [make_run(name, inspected=inspected) for name in ("one<b>", "two$")]
    for run in runs:
        for name in ("spec", "recipe", "plan", "data", "env"):
            path = run / f"{name}.json"
            values = json.loads(path.read_text())
            path.write_text(
                json.dumps(poison(values) | {key: values[key] for key in CHECKED if key in values})
            )
        result = json.loads((run / "result.json").read_text())
        (run / "result.json").write_text(json.dumps({**result, "model": HOSTILE, "data": HOSTILE}))
    for shown in (page(runs[:1]), page(runs, out=tmp_path / "both.html")):
        tags = [tag for tag, _ in shown.tags]
        assert tags.count("script") == 1
        assert all(attrs["src"].startswith("data:image/png") for tag, attrs in shown.tags if tag == "img")
        assert not any(name.startswith("on") for _, attrs in shown.tags for name in attrs)
        assert "<script>alert(1)" in shown.text


TABLE_KEYS = st.sampled_from(
    ["counts", "skipped", "classes", "path", "kind", "test", "fingerprint", "command"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TABLE_KEYS | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)


@settings(max_examples=40)
@given(st.data())
def test_any_tables_are_shown_or_refused(tmp_path_factory, data):
    runs = [tmp_path_factory.mktemp("run") for _ in range(2)]
    for run in runs:
        for name in ("spec", "recipe", "data", "plan", "env"):
            values = data.draw(st.dictionaries(TABLE_KEYS | st.text(max_size=3), JSON, max_size=5))
            (run / f"{name}.json").write_text(json.dumps(values | CHECKED))
    for chosen in (runs[:1], runs):
        page(chosen, out=runs[0] / "page.html", overwrite=True)


def test_a_page_is_the_same_bytes_in_another_process(make_run, make_inspection):
    run = make_run(inspected=make_inspection(["a", "b"]))
    first = render_report([run]).read_bytes()
    code = "import sys; from residua.report import render_report; render_report(sys.argv[1:])"
    subprocess.run([sys.executable, "-c", code, run], check=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    assert (run / "report.html").read_bytes() == first


def test_importing_the_report_loads_neither_torch_nor_matplotlib():
    code = "import sys, residua.report; print([m for m in ('torch', 'matplotlib', 'PIL', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_page_with_everything_large_stays_small(make_run, make_inspection, make_png):
    names = [f"class number {i}" for i in range(1000)]
    inspected = make_inspection(names, each=50, units=400)
    for number, mistake in enumerate(inspected["mistakes"]):
        mistake["png"] = make_png(number, 224, "RGB")
    inspected["mistakes"] *= 8
    run = make_run(epochs=200, classes=names, inspected=inspected)
    assert render_report([run]).stat().st_size < 1_500_000


def test_more_mistakes_than_there_is_room_for_are_counted(make_run, make_inspection):
    inspected = make_inspection(["a", "b"])
    inspected["mistakes"] *= 4
    shown = page([make_run(inspected=inspected)])
    assert sum(tag == "img" for tag, _ in shown.tags) == 24 + 4  # of pairs, suspects and leaks
    assert "12 more are in inspection.json" in shown.text


def test_a_picture_that_is_no_png_is_named(make_run, make_inspection):
    inspected = make_inspection(["a", "b"])
    inspected["mistakes"][2]["png"] = "AAAA"
    with pytest.raises(ResiduaError, match=r"inspection.json: mistakes\[2\]: png is not a whole PNG"):
        render_report([make_run(inspected=inspected)])


def test_only_the_runs_own_report_is_replaced_without_asking(make_run, tmp_path):
    run, other = make_run("a", epochs=0, complete=False), make_run("b", epochs=0, complete=False)
    (run / "report.html").write_text("what was here")
    (tmp_path / "mine.html").write_text("mine")
    assert "what was here" not in render_report([run]).read_text()
    for runs, out in (
        ([run], tmp_path / "mine.html"),
        ([run], other / "spec.json"),
        ([run, other], run / "report.html"),
    ):
        before = out.read_text()
        with pytest.raises(UsageError, match=r"exists; --overwrite replaces it"):
            render_report(runs, out=out)
        assert out.read_text() == before
    assert render_report([run], out=tmp_path / "mine.html", overwrite=True).read_text() != "mine"


def test_several_runs_have_a_page_beside_the_first(make_run):
    runs = [make_run(name, epochs=0, complete=False) for name in ("a", "b")]
    assert render_report(runs) == runs[0].parent / "compare-a-b.html"
    with pytest.raises(UsageError, match=r"compare-a-b\.html exists"):
        render_report(runs)


def test_the_page_of_runs_with_long_names_can_be_written(make_run):
    runs = [make_run(name * 60, epochs=0, complete=False) for name in ("a", "b", "c")]
    assert re.fullmatch(r"compare-3-runs-[0-9a-f]{8}\.html", render_report(runs).name)


def test_bad_requests_are_one_line(make_run, tmp_path):
    run = make_run(epochs=0, complete=False)
    (run.parent / "again").symlink_to(run)
    for runs, options, said in (
        ([], {}, "at least one run folder"),
        ([run, run.parent / "again"], {}, "is given twice"),
        ([run], {"lang": "fr"}, "no language 'fr'"),
        ([run], {"out": tmp_path}, "is a directory"),
        ([run], {"out": tmp_path / "no" / "x.html"}, "there is no directory"),
        ([tmp_path / "absent"], {}, "no run folder"),
    ):
        with pytest.raises(UsageError, match=said) as caught:
            render_report(runs, **options)
        assert "\n" not in str(caught.value)


OUTCOME = {
    "status": "not learned",
    "fit": "by heart",
    "advice": "look at the data",
    "sentence": "Not learned: ...",
    "right": 10,
    "n": 40,
    "interval": [0.14, 0.4],
    "majority": "a <b>",
    "majority_share": 0.3,
    "balanced": 0.25,
    "balanced_interval": [0.1, 0.4],
    "tested": 4,
    "answered": 4,
    "top_answer": "a <b>",
    "top_share": 0.3,
    "training_right": 100,
    "training_n": 100,
    "loss": 0.01,
    "classes": 4,
    "few": {"c": 2},
    "epochs": 20,
    "lr": 0.1,
}


@pytest.mark.parametrize(
    ("lang", "word", "said"), [("en", "Not learned", "by heart"), ("zh", "没有学会", "只是背下了这些图像")]
)
def test_what_became_of_the_training_stands_on_top(make_run, make_inspection, lang, word, said):
    run = make_run("my run", inspected=make_inspection(["a", "b", "c"]) | {"outcome": OUTCOME})
    shown = page([run], lang=lang)
    top = shown.text[: shown.text.index(messages(lang)["test_accuracy"])]
    assert word in top and said in top and "a <b>" in top
    assert "residua data look digits" in top
    assert ("div", {"class": "verdict caution"}) in shown.tags


def test_a_run_that_went_on_has_no_old_outcome_on_its_page(make_run, make_inspection):
    run = make_run(inspected=make_inspection(["a", "b"]) | {"outcome": OUTCOME}, complete=False)
    assert "Not learned" not in page([run]).text


def test_paths_are_those_seen_from_the_data_and_the_working_directory(
    make_run, make_inspection, restate, tmp_path, monkeypatch
):
    """A page that is mailed names no home folder."""
    found = make_inspection(["a", "b"])
    found["mistakes"][0]["path"] = str(tmp_path / "photos" / "test" / "a" / "1.png")
    run = restate(make_run(inspected=found), "data", path=str(tmp_path / "photos"))
    monkeypatch.chdir(tmp_path)
    text = page([run]).text
    assert "test/a/1.png" in text and str(tmp_path) not in text
