import json
import re
import shutil
from pathlib import Path

import pytest

from residua.deploy import runtime
from residua.deploy.artifact import read_artifact


@pytest.fixture(scope="module")
def shipped(trained, tmp_path_factory):
    """The digits' run, and what the command says of its first artifact."""
    from residua.cli.main import main

    run = shutil.copytree(trained, tmp_path_factory.mktemp("shipped") / "first")
    with pytest.raises(SystemExit) as caught:
        main(["export", str(run), "--format", "pt2"])
    assert caught.value.code == 0
    return run


def test_an_artifact_stands_in_its_run(shipped, command):
    artifact = read_artifact(shipped / "artifacts" / "pt2-fp32")
    assert artifact.name == "first"
    assert artifact.provenance["run"] == "first"
    assert artifact.parity.of == "test images"
    again = command("export", shipped, "--format", "pt2")
    assert "holds an artifact: --overwrite replaces it" in again.refused(2)


def test_json_is_what_the_artifact_says(shipped, command, tmp_path):
    answer = command("export", shipped, "--format", "pt2", "--out", tmp_path / "mine", "--json")
    assert answer.code == 0
    found = answer.json
    assert found.pop("path") == str(tmp_path / "mine")
    assert found == json.loads((tmp_path / "mine" / "artifact.json").read_text("utf-8"))
    assert found["schema"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--format", "tflite"), 2, "unknown format 'tflite'"),
        (("--format", "pt2", "--precision", "fp8"), 2, "pt2 has the precisions fp32, bf16, not fp8"),
        (("--max-drop=-1",), 2, "max_drop is a number of points from 0, not -1.0"),
        (("--format", "pt2", "--data", "nowhere", "--overwrite"), 2, "nowhere"),
    ],
)
def test_wrong_usage_is_one_line(shipped, command, arguments, code, said):
    assert said in command("export", shipped, *arguments).refused(code)


def test_a_missing_extra_is_named_with_its_command(shipped, command, monkeypatch):
    monkeypatch.setattr(runtime, "extras", lambda: {"export": {"onnx": "1.19", "onnxruntime": None}})
    said = command("export", shipped).refused(1)
    assert said == 'the format onnx needs onnxruntime: pip install "residua[export]"'


def test_a_format_of_ones_own(shipped, command, tmp_path, forgotten):
    """The example of docs/export.md."""
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text("utf-8")
    (code,) = re.findall("```python\\n(.*?)```", page, re.DOTALL)
    (tmp_path / "torchscript.py").write_text(code, "utf-8")
    own = ("--with", tmp_path / "torchscript.py")
    answer = command("export", shipped, "--format", "torchscript", "--out", tmp_path / "a", "--json", *own)
    assert answer.code == 0, answer.err
    assert answer.json["parity"]["batch_sizes"][:4] == [1, 2, 3, 5]
    assert list(answer.json["digests"]) == ["model.pt"]


def test_there_is_no_such_run(command, tmp_path):
    command("export", tmp_path / "nothing").refused(2)
