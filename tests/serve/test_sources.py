import json

import pytest
from tests.report.conftest import make_run  # noqa: F401 - a fixture

from residua.errors import UsageError
from residua.serve.sources import artifacts_of, named_sources, signature


def test_models_are_called_after_their_files_or_as_they_are_told(weights, make_run, monkeypatch, tmp_path):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    file, run = weights(), make_run("flowers", parent=tmp_path / "runs")
    words = [str(file), "flowers", f"mine={file}", f"{run}2=flowers"]
    assert [source.name for source in named_sources(words)] == ["tones", "flowers", "mine", f"{run}2"]


@pytest.mark.parametrize("word", ["nothing", "a=nothing", "a=", "=", ""])
def test_what_is_not_there_is_told_before_anything_is_loaded(word, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        named_sources([word])


def test_two_of_one_name_are_refused(weights):
    file = weights()
    with pytest.raises(UsageError, match="two models are called 'tones'"):
        named_sources([str(file), str(file)])


def test_a_signature_follows_the_files_of_a_model(weights, make_run, tmp_path):  # noqa: F811
    file = weights()
    first = signature(str(file))
    assert first == signature(str(file)) is not None
    weights(file, seed=1)
    assert signature(str(file)) not in (first, None)
    file.unlink()
    assert signature(str(file)) is None

    run = make_run("a", complete=False)
    assert signature(str(run)) is None, "it is still being trained"
    (run / "model.safetensors").write_bytes(b"x")
    (run / "result.json").write_text("{}")
    assert signature(str(run)) is not None

    artifact = tmp_path / "artifact"
    artifact.mkdir()
    (artifact / "artifact.json").write_text(json.dumps({"schema": 1}))
    (artifact / "model.onnx").write_bytes(b"1")
    before = signature(str(artifact))
    (artifact / "model.onnx").write_bytes(b"22")
    assert signature(str(artifact)) != before is not None


def test_what_was_exported_of_a_run_is_known_beside_it(weights, make_run):  # noqa: F811
    run = make_run("a")
    assert artifacts_of(str(run)) == artifacts_of(str(weights())) == []
    place = run / "artifacts" / "onnx-int8"
    place.mkdir(parents=True)
    (place / "artifact.json").write_text(json.dumps({"schema": 1}))
    assert artifacts_of(str(run)) == [place]
    assert artifacts_of(str(place)) == []
