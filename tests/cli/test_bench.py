"""``residua bench``: the table, JSON, the page, and the artifact of the fastest."""

import pytest

from residua.parts import find

QUICK = ("--rounds", "2", "--seconds", "0", "--threads", "1", "--batch-size", "1,2")


def test_a_table_a_page_and_a_figure(command, run, tmp_path):
    page, figure = tmp_path / "bench.html", tmp_path / "bench.svg"
    answer = command(
        *("bench", "first", *QUICK, "--backends", "channels_last", "--lang", "zh"),
        *("--page", page, "--figure", figure),
    )
    assert answer.code == 0
    assert answer.out.splitlines()[0].split()[:3] == ["backend", "precision", "batch"]
    assert sum(line.startswith("eager") for line in answer.out.splitlines()) == 2
    text = page.read_text()
    assert "每秒图像数" in text and "channels_last fp32" in text and "<svg" in text
    assert "http" not in text.split("</style>")[1].replace("http://www.w3.org", "")
    assert figure.read_text().startswith("<?xml")
    assert "--overwrite" in command("bench", "first", *QUICK, "--page", page).refused(2)
    assert "--overwrite" in command("bench", "first", *QUICK, "--figure", figure).refused(2)


def test_json_is_one_object_with_rows(command, run):
    answer = command("bench", "first", *QUICK, "--backends", "channels_last", "--json").json
    assert (answer["schema"], answer["images"], answer["threads"]) == (1, "test images", 1)
    row = answer["rows"][1]
    assert (row["backend"], row["precision"], row["batch_size"]) == ("channels_last", "fp32", 1)
    assert {"images_per_second", "latency_ms", "max_error"} <= set(row)
    assert set(row["latency_ms"]) == {"p50", "p99"}


@pytest.mark.slow
def test_the_fastest_artifact_is_exported_and_timed_beside_its_run(command, run, monkeypatch):
    for library in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(library, reason="needs the extra export")
    monkeypatch.setattr(find("backend", "onnxruntime"), "precisions", ("fp32",))
    answer = command("bench", "first", *QUICK, "--backends", "onnxruntime", "--best", "--json").json
    assert answer["best"] == str(run / "artifacts" / "onnx-fp32")
    rows = command("bench", answer["best"], *QUICK, "--json").json["rows"]
    assert [row["backend"] for row in rows] == ["eager", "onnxruntime"] * 2
    assert all(row["max_error"] is not None for row in rows)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("first", "--batch-size", "1;2"), "whole numbers with commas"),
        (("first", "--batch-size", "0"), "batch sizes"),
        (("cifar_resnet8", "--best"), "has random weights"),
        (("first", "--backends", "tensorrt"), "unknown backend 'tensorrt'"),
        (("none",), "unknown model 'none'"),
        (("none.pth",), "there is no file"),
    ],
)
def test_wrong_usage_is_one_line(command, run, arguments, said):
    assert said in command("bench", *arguments).refused(2)
