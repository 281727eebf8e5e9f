"""The page's routes: what they list, what they render, and that no name leads out of what was listed."""

import asyncio
import json
import re
from importlib.resources import files

import pytest
from starlette.testclient import TestClient
from tests.report.conftest import make_run  # noqa: F401 - a fixture
from tests.serve.instant import InstantModels

from residua.serve.app import make_app
from residua.serve.limits import Limits
from residua.serve.metrics import Metrics
from residua.serve.ui.routes import add_page
from residua.serve.ui.shelf import Shelf
from residua.serve.ui.tail import tail

STATIC = files("residua.serve.ui").joinpath("static")


@pytest.fixture
def page(tmp_path):
    app = make_app(InstantModels(), limits=Limits(), metrics=Metrics())
    add_page(app, Shelf(runs=tmp_path / "runs", analyses=tmp_path / "analysis"))
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_loads_nothing_from_elsewhere_and_its_policy_says_so(page, lang):
    answer = page.get(f"/?lang={lang}")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://|<script>|style=|onclick", answer.text)
    links = re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text)
    assert len(links) == 5
    for link in links:
        assert page.get(link).status_code == 200


def test_the_language_is_that_of_the_reader(page):
    assert '<html lang="zh-CN">' in page.get("/", headers={"accept-language": "zh-CN,zh;q=0.9"}).text
    assert '<html lang="en">' in page.get("/", headers={"accept-language": "de"}).text
    assert page.get("/?lang=xx").status_code == 422


def test_every_text_is_there_in_both_languages_and_used(page):
    english, chinese = (
        json.loads(re.search(r'id="texts">(.*?)</script>', page.get(f"/?lang={lang}").text)[1])
        for lang in ("en", "zh")
    )
    assert list(english) == list(chinese)
    for key in english:
        assert set(re.findall(r"\{\w+\}", english[key])) == set(re.findall(r"\{\w+\}", chinese[key])), key
    code = "".join(
        file.read_text() for file in STATIC.iterdir() if file.name.endswith(".js") and file.name != "uplot.js"
    )
    code += files("residua.serve.ui").joinpath("index.html").read_text()
    states = {"complete", "running", "interrupted", "damaged", "by_epoch", "by_step"}
    for key in set(english) - states:
        assert re.search(rf'"{key}"|\bt\.{key}\b|\b{key}:', code), f"nobody says {key}"


def test_runs_are_listed_the_newest_first_damaged_ones_too(page, make_run, tmp_path):  # noqa: F811
    assert page.get("/ui/runs").json()["runs"] == []
    make_run("a", parent=tmp_path / "runs")
    make_run("b", parent=tmp_path / "runs", complete=False)
    broken = make_run("c", parent=tmp_path / "runs")
    (broken / "metrics.jsonl").write_text("[]\n")
    rows = page.get("/ui/runs").json()["runs"]
    assert [(row["run"], row["state"]) for row in rows] == [
        ("c", "damaged"),
        ("b", "interrupted"),
        ("a", "complete"),
    ]
    assert rows[2]["test"] == 0.986


def test_artifacts_of_a_run_are_listed_by_name(page, make_run, tmp_path):  # noqa: F811
    run = make_run("a", parent=tmp_path / "runs")
    (run / "artifacts" / "onnx-int8").mkdir(parents=True)
    (run / "artifacts" / "onnx-int8" / "artifact.json").write_text("{}")
    (run / "artifacts" / "other").mkdir()
    shelf = Shelf(runs=tmp_path / "runs")
    assert page.get("/ui/runs").json()["runs"][0]["artifacts"] == ["a/onnx-int8"]
    assert shelf.model("a/onnx-int8") == run / "artifacts" / "onnx-int8"
    assert shelf.model("a") == run


def test_reports_and_comparisons_are_rendered_without_writing_into_a_run(page, make_run, tmp_path):  # noqa: F811
    runs = [make_run(name, parent=tmp_path / "runs") for name in ("a", "b")]
    before = [sorted(run.rglob("*")) for run in runs]
    one, both = page.get("/ui/report?run=a"), page.get("/ui/report?run=a&run=b&lang=zh")
    assert (one.status_code, both.status_code) == (200, 200)
    assert '<html lang="en">' in one.text
    assert '<html lang="zh' in both.text
    assert [sorted(run.rglob("*")) for run in runs] == before
    assert page.get("/ui/report?run=a&run=a").status_code == 422
    assert page.get("/ui/report").status_code == 422


NAMES = [
    "..",
    "../a",
    "%2e%2e",
    "..%2fsecret",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "a/../a",
    ".",
    "",
    "a%00",
    "latest",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "address",
    ["/ui/runs/{}/metrics", "/ui/report?run={}", "/ui/experiments/{}", "/ui/analyses/{}", "/static/{}"],
)
def test_no_name_leads_out_of_what_is_listed(page, make_run, tmp_path, address, name):  # noqa: F811
    make_run("a", parent=tmp_path / "runs")
    secret = make_run("secret", parent=tmp_path, model="hush")
    (tmp_path / "runs" / "latest").symlink_to(secret)
    answer = page.get(address.format(name))
    assert answer.status_code < 500
    assert "hush" not in answer.text
    assert "root:" not in answer.text


def test_a_drawing_runs_nothing(page, tmp_path):
    folder = tmp_path / "analysis" / "response-a"
    folder.mkdir(parents=True)
    (folder / "figure.svg").write_text(
        "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    )
    (folder / "finding.json").write_text(json.dumps({"title": "T", "sentence": "S", "network": "a"}))
    (rows,) = (page.get("/ui/analyses").json()["analyses"],)
    assert rows == [{"title": "T", "sentence": "S", "network": "a", "id": "response-a"}]
    answer = page.get("/ui/analyses/response-a")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in answer.headers["content-security-policy"]
    (folder / "finding.json").write_text("[]")
    assert "error" in page.get("/ui/analyses").json()["analyses"][0]


def collect(run, offset=0, stop_after=99):
    """The events of a log until it ends, as (kind, id, tables)."""
    found = []

    async def read():
        async for text in tail(run, offset, lambda: len(found) >= stop_after):
            fields = dict(line.split(": ", 1) for line in text.strip().splitlines())
            found.append((fields["event"], int(fields["id"]), json.loads(fields["data"])))

    asyncio.run(read())
    return found


def test_the_log_of_a_complete_run_comes_whole_and_ends(make_run):  # noqa: F811
    run = make_run("a", epochs=3)
    log = (run / "metrics.jsonl").read_bytes()
    (lines, end) = collect(run)
    assert lines[2] == [json.loads(line) for line in log.splitlines()]
    assert (lines[:2], end) == (("lines", len(log)), ("end", len(log), []))
    first = log.index(b"\n") + 1
    assert collect(run, first)[0][2] == lines[2][1:], "who was cut off goes on where it was"


def test_a_growing_log_comes_line_by_line_and_one_that_is_cut_back_from_its_beginning(make_run):  # noqa: F811
    run = make_run("a", epochs=3, complete=False)
    log = run / "metrics.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole[:-5])  # its last line is still being written
    (lines,) = collect(run, stop_after=1)
    assert len(lines[2]) == whole.count(b"\n") - 1
    log.write_bytes(whole[: whole.index(b"\n") + 1])
    reset, lines = collect(run, lines[1], stop_after=2)
    assert reset[:2] == ("reset", 0)
    assert len(lines[2]) == 1


def test_a_log_cannot_break_the_page(make_run):  # noqa: F811
    run = make_run("a", epochs=1)
    (run / "metrics.jsonl").write_bytes(
        b'{"event": "step", "loss": NaN}\nnonsense\n[]\n\xff\n{"event": "a\\nb"}\n'
    )
    assert collect(run)[0][2] == [{"event": "step", "loss": None}, {"event": "a\nb"}]
