"""The report belongs to the weights: what was looked at inside another network is never shown beside them."""

import json
import os
import shutil

import pytest

from residua.report import render_report
from residua.train import RunFolder
from residua.weights.digest import stated_digest

INSIDE = (
    "Confusion matrix",
    "Calibration",
    "Worst mistakes",
    "Cost by part",
    "Gradient and response by depth",
)
STALE = "was made from earlier weights than the run has now"


def page(run):
    return (run / "report.html").read_text(encoding="utf-8")


def sections(run):
    return [title for title in INSIDE if f"<h2>{title}</h2>" in page(run)]


def inspection(run):
    return json.loads((run / "inspection.json").read_text())


def change(run, **changes):
    values = {key: value for key, value in {**inspection(run), **changes}.items() if value is not None}
    (run / "inspection.json").write_text(json.dumps(values))


def lose_images(run):
    data = json.loads((run / "data.json").read_text())
    data["spec"]["source"] = "gone"
    (run / "data.json").write_text(json.dumps(data))


@pytest.fixture
def interrupted(monkeypatch, command):
    """Extends a run, with a Ctrl-C where something is called."""

    def extend(run, where):
        def interrupt(*_, **__):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(where, interrupt)
            return command("train", "--resume", run, "--epochs", 3)

    return extend


def test_an_extension_that_is_not_complete_shows_nothing_of_the_old_network(run, command, interrupted):
    accuracy = f"{RunFolder(run).result['test_accuracy']:.2%}"
    answer = interrupted(run, "residua.train.session.Session._result")
    assert (answer.code, answer.err.splitlines()[-1]) == (
        130,
        f"residua: interrupted: residua train --resume {run} goes on",
    )
    answer = command("report", run)
    assert (answer.code, sections(run)) == (0, [])
    assert STALE in answer.err and STALE in page(run)
    assert accuracy not in page(run)


def test_an_extension_without_its_report_gets_it(run, command, interrupted):
    answer = interrupted(run, "residua.evaluation.inspect.read_outputs")
    assert answer.code == 130
    assert f"the training is complete, residua report {run} makes its report" in answer.err
    render_report([run])  # which looks into nothing
    assert STALE in page(run) and not sections(run)
    answer = command("report", run)
    assert "other weights than the run has now: it was made anew" in answer.err
    assert sections(run) == list(INSIDE) and STALE not in page(run)
    assert inspection(run)["top1"] == RunFolder(run).result["test_accuracy"]
    assert inspection(run)["weights"] == stated_digest(run / "model.safetensors")
    assert "anew" not in command("report", run).err


def test_a_run_that_was_killed_before_its_report_gets_all_of_it(run, command):
    (run / "inspection.json").unlink()
    (run / "report.html").unlink()
    assert command("report", run).code == 0
    assert sections(run) == list(INSIDE)


def test_without_the_images_the_report_is_made_without_them(run, command):
    (run / "inspection.json").unlink()
    lose_images(run)
    answer = command("report", run)
    assert (answer.code, answer.out) == (0, f"{run / 'report.html'}\n")
    assert "without a new look inside the network: no such file or folder: 'gone'" in answer.err
    assert not sections(run) and "Left out" in page(run)


def test_what_version_01_left_is_made_anew_or_doubted(run, command):
    change(run, weights=None)
    assert "does not say which weights it was made from: it was made anew" in command("report", run).err
    assert inspection(run)["weights"]
    change(run, weights=None)
    lose_images(run)
    answer = command("report", run)
    assert sections(run) == list(INSIDE)
    for text in (page(run), answer.err):
        assert "residua 0.1 wrote it" in text
    os.utime(run / "inspection.json", (0, 0))  # older than the result: the run has been extended since
    assert STALE in command("report", run).err
    assert not sections(run)


def test_damaged_weights_do_not_make_their_inspection_another_network_s(run, command):
    weights = bytearray((run / "model.safetensors").read_bytes())
    weights[-3] ^= 4
    (run / "model.safetensors").write_bytes(weights)
    answer = command("report", run)
    assert (answer.code, sections(run)) == (0, list(INSIDE))
    assert STALE not in answer.err


def test_a_damaged_inspection_is_made_anew(run, command):
    (run / "inspection.json").write_text("{")
    answer = command("report", run)
    assert "inspection.json is not valid JSON" in answer.err and "made anew" in answer.err
    assert sections(run) == list(INSIDE)
    (run / "inspection.json").write_text("{")
    lose_images(run)
    assert command("report", run).code == 1


def test_images_that_have_changed_since_are_not_looked_at(run, command):
    data = json.loads((run / "data.json").read_text())
    data["fingerprint"] = {**data["fingerprint"], "sha256": "0" * 64}
    (run / "data.json").write_text(json.dumps(data))
    (run / "inspection.json").unlink()
    assert "not what first was trained on: the data's fingerprint differs" in command("report", run).err
    assert not (run / "inspection.json").exists()


def test_side_by_side_each_run_is_looked_into(run, command):
    other = shutil.copytree(run, run.with_name("second"))
    (other / "inspection.json").unlink()
    assert command("report", run, other).code == 0
    assert inspection(other) == inspection(run)
