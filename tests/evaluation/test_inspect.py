import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from residua.errors import UsageError
from residua.evaluation import evaluate, inspect_run
from residua.runs.inspection import read_inspection


@pytest.fixture(params=["digits", "folder"])
def run(request, make_run, digits, folder_data):
    return make_run(data=digits if request.param == "digits" else folder_data())


def test_the_report_can_read_it(run):
    found = inspect_run(run)
    assert json.loads((run / "inspection.json").read_text()) == found
    assert set(read_inspection(run)) == {key for key, value in found.items() if value is not None}


def test_figures_are_those_of_evaluate(run):
    found, measured = inspect_run(run), evaluate(run).to_dict()
    for key in ("top1", "top5", "nll", "ece"):
        assert found[key] == measured[key]
    assert found["confusion"] == [list(row) for row in measured["confusion"]]
    assert found["per_class"] == list(measured["per_class"])
    assert sum(item["n"] for item in found["reliability"]) == measured["n"]


def test_mistakes_are_the_most_confident_and_show_the_image(make_run, folder_data):
    data = folder_data(count=20)
    found = inspect_run(make_run(data=data))
    mistakes = found["mistakes"]
    wrong = np.array(found["confusion"]).sum() - np.array(found["confusion"]).trace()
    assert len(mistakes) == min(wrong, 24) > 0
    confidence = [item["confidence"] for item in mistakes]
    assert confidence == sorted(confidence, reverse=True)
    for item in mistakes:
        assert item["true"] != item["predicted"]
        assert f"/{item['true']}/" in item["path"].replace("\\", "/")
        shown = Image.open(io.BytesIO(base64.b64decode(item["png"])))
        assert np.array_equal(np.asarray(shown), np.asarray(Image.open(item["path"])))


def test_depth_and_cost(make_run):
    found = inspect_run(make_run())
    assert [row["unit"] for row in found["gradient"]] == ["stages.0.0", "stages.1.0", "stages.2.0"]
    assert {row["kind"] for row in found["gradient"]} == {"residual"}
    assert all(row["norm"] > 0 for row in found["gradient"])
    assert len(found["response"]) == 7
    parameters = 75_290 - 2 * 144  # of the network for colour; the stem has 144 for each further channel
    assert sum(part["parameters"] for part in found["cost"]) == parameters
    assert [part["part"] for part in found["cost"]] == ["stem", "stage1", "stage2", "stage3", "head"]


def test_it_is_the_same_each_time_and_limit_ends_it(make_run):
    run = make_run(drop_path=0.5)
    assert inspect_run(run) == inspect_run(run)
    assert sum(map(sum, inspect_run(run, limit=1)["confusion"])) == 256


def test_only_runs_have_an_inside(make_run):
    with pytest.raises(UsageError, match="only a run"):
        inspect_run(make_run() / "model.safetensors")
