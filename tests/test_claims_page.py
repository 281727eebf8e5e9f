"""The pages of the claims: made from the committed results alone, a row for every claim, no path of a machine."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks import claims

from residua.experiments import catalogue
from residua.experiments.claims import CLAIMS
from residua.experiments.run_cell import run_cell
from residua.experiments.store import judged_anew
from residua.report.experiment_result import find_results, read_result

DOCS = Path(__file__).resolve().parent.parent / "docs"


@pytest.fixture
def write(tmp_path):
    def one(experiment="he2015/degradation", scale="quick", **changes):
        values = {
            "experiment": experiment,
            "title": "Degradation",
            "title_zh": "退化",
            "claims": [{"id": "X1", "text": "t", "zh": "论"}, {"id": "X6", "text": "u", "zh": "断"}],
            "where": "He et al. 2015, sec. 4.2",
            "scale": scale,
            "verdict": "direction reproduced",
            "reason": "",
            "checks": [{"text": "deeper | worse", "status": "undecided", "reason": "p 0.2"}],
            "table": [
                {
                    "arm": "ResNet-20",
                    "measure": "test_error",
                    "n": 3,
                    "mean": 1.25,
                    "sd": 0.2,
                    "published": [{"value": 8.75, "source": "Table 6", "status": "unconfirmed"}],
                }
            ],
            "published": [],
            "observations": [],
            "misquotes": [],
            "caveats": [],
            "figure": "curves",
            "measures": ["test_error"],
            "data": {"source": "digits"},
            "recipe": {"name": "digits"},
            "arms": [],
            "evidence": {"ResNet-20": {"0": {"curve_train_error": [1 / 3, None, 2], "test_error": 10 / 3}}},
            "failed": {"ResNet-56, seed 0": "cannot read /home/me/x.json"},
            "seeds": 3,
            "max_seeds": 8,
            "seconds": 1.5,
            "machine": {},
            "command": ["residua", "reproduce", "all", "--data", "/home/me/cifar-10", "--out", "/tmp/x"],
        }
        path = tmp_path / "out" / experiment / scale / "result.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values | changes))
        return path

    return one


@pytest.mark.parametrize(("name", "lang"), claims.PAGES.items())
def test_the_committed_pages_are_made_from_the_committed_results(name, lang):
    assert (DOCS / name).read_text(encoding="utf-8") == claims.page(claims.stored(), lang)


@pytest.mark.parametrize("lang", claims.PAGES.values())
def test_every_claim_has_a_row_even_without_a_result(lang):
    text = claims.page([], lang)
    known = catalogue.claims()  # papers bring their own beside those of the catalogue
    assert set(CLAIMS) < set(known)
    for claim in known.values():
        assert f"| [{claim.id}](#{claim.id.lower()}) |" in text
        assert f"## {claim.id}\n" in text
    assert text.count("no result yet" if lang == "en" else "尚无结果") == 2 * len(known)


def test_a_row_has_the_published_the_measured_and_the_verdict(write):
    text = claims.page([read_result(write())], "en")
    assert "| he2015/degradation, quick: **direction reproduced** |" in text
    row = "| ResNet-20 | Test error (%) | 1.25 ± 0.2 (n = 3) | 8.75 (Table 6, unconfirmed, not comparable here) |"
    assert row in text
    assert "- undecided: deeper \\| worse [p 0.2]" in text
    assert "`residua reproduce he2015/degradation --data PATH` · [evidence](../benchmarks/results/" in text
    assert text.count(row) == 1 and "(see [X1](#x1))" in text  # a result stands once, under its first claim
    chinese = claims.page([read_result(write(scale="paper"))], "zh")
    assert (
        "**方向已复现**" in chinese
        and "测试错误率" in chinese
        and "不可比）" not in chinese.partition("| 组 |")[2]
    )


def test_what_is_taken_over_holds_no_path_and_all_that_tables_need(write, tmp_path):
    original = json.loads(write().read_text())
    (taken,) = claims.collect(tmp_path / "out", tmp_path / "kept")
    text = taken.read_text(encoding="utf-8")
    kept = json.loads(text)
    assert "/home" not in text and "/tmp" not in text and "cannot read PATH" in text
    assert "[ 0.3333, null, 2 ]" in text  # a curve is one line
    assert kept["evidence"]["ResNet-20"]["0"]["test_error"] == 10 / 3
    for key in original.keys() - {"command", "failed", "evidence"}:
        assert kept[key] == original[key], key


def test_addresses_of_the_web_and_formulas_stay():
    for text in (
        "https://arxiv.org/abs/1512.03385",
        "dL/dx_l = dL/dx_L",
        "1.8/3.6/3.8 G",
        "a/b",
        "lr 0.1 /10 at 50 %",
    ):
        assert claims.portable(text) == text
    assert claims.portable(["--out=/tmp/a b", "/data"]) == ["--out=PATH b", "PATH"]


def test_measurements_are_not_replaced_by_a_result_without(write, tmp_path):
    path = write()
    claims.collect(tmp_path / "out", tmp_path / "kept")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"evidence": {}, "table": []}))
    assert claims.collect(tmp_path / "out", tmp_path / "kept") == []
    assert read_result(tmp_path / "kept/he2015/degradation/quick/result.json")["evidence"]


def test_no_committed_result_names_a_place_of_the_machine():
    for path in claims.FOLDER.rglob("*.json"):
        assert not re.search(r'"/|[ =]/(home|tmp|work|root|Users)/', path.read_text(encoding="utf-8")), path


def test_the_paper_of_the_guide_brings_claim_row_look_and_figure(forgotten, tmp_path):
    """The example of docs/reproduce.md, run as it stands there, at one epoch of one seed."""
    from residua.experiments.catalogue import claims, find_experiments
    from residua.experiments.study import Study
    from residua.user_files import UserFile

    guide = (DOCS / "reproduce.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    brought = UserFile("doe2026.py", code).run()
    assert brought.parts == {("paper", "doe2026"), ("look", "weight_norms")}
    assert claims()["D1"].text == "without shortcuts the weights grow"
    (experiment,) = find_experiments("doe2026")
    assert experiment.published[0].to_dict()["source"] == "Doe et al. 2026, Table 1"
    study = Study(
        experiment=experiment,
        scale="quick",
        data=None,
        first_seeds=1,
        max_seeds=1,
        root=tmp_path,
        device="cpu",
    )
    for arm, seed, cell in study.next_cells():
        found = run_cell(replace(cell, recipe={**(cell.recipe or {}), "epochs": 1}, limit=1))
        study.evidence.setdefault(arm, {})[seed] = found
        assert len(found["norm"]) == len(found["x"]) == 19
    assert set(study.verdict().rulings) == {"the plain net's are heavier"}


def test_committed_verdicts_are_those_of_the_rules_of_now_on_the_committed_evidence():
    for path in find_results(claims.FOLDER):
        values = json.loads(path.read_text(encoding="utf-8"))
        found = judged_anew(values)
        assert found is not None, f"{path} was run otherwise than its experiment is now"
        assert claims.portable(found) == values, path


def test_a_result_is_judged_anew_without_training(tmp_path):
    stored = claims.FOLDER / "he2015" / "same-cost" / "quick" / "result.json"
    values = json.loads(stored.read_text(encoding="utf-8"))
    path = tmp_path / "he2015" / "same-cost" / "quick" / "result.json"
    path.parent.mkdir(parents=True)
    values["evidence"]["ResNet-20"]["0"]["parameters"] += 1
    path.write_text(json.dumps(values), encoding="utf-8")
    assert claims.judge_anew(tmp_path) == []
    assert read_result(path)["verdict"] == "not reproduced"
    values["arms"][0]["changes"] = {"widths": [8, 16, 32]}
    path.write_text(json.dumps(values), encoding="utf-8")
    assert claims.judge_anew(tmp_path) == ["he2015/same-cost, quick"]
    assert not path.exists(), "what is said of other networks than these is gone"
