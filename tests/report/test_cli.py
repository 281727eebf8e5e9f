import json

import pytest

from residua.cli.report import report
from residua.errors import UsageError


def test_the_path_of_the_page_is_all_that_is_printed(make_run, capsys):
    run = make_run(epochs=1)
    report([run])
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"


def test_json_is_one_object_with_the_diagnosis(make_run, capsys):
    runs = [make_run("a"), make_run("b", train_accuracy=0.8, val_accuracy=0.75, test_accuracy=0.77)]
    report(runs, lang="zh", json=True)
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == 1 and answer["report"].endswith("compare-a-b.html")
    assert answer["diagnosis"]["kind"] == "degraded" and "退化" in answer["diagnosis"]["sentence"]
    report(runs[:1], json=True)
    assert json.loads(capsys.readouterr().out)["diagnosis"] is None


def test_a_name_under_runs_is_enough(make_run, tmp_path, monkeypatch, capsys):
    run = make_run("mine", parent=tmp_path / "runs", epochs=1)
    (tmp_path / "runs" / "latest").symlink_to("mine")
    monkeypatch.chdir(tmp_path)
    report(["latest"])
    assert (run / "report.html").exists()
    with pytest.raises(UsageError, match="no run 'absent'"):
        report(["absent"])
