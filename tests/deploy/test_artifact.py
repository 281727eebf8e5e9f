import dataclasses
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.deploy import artifact as module
from residua.deploy.artifact import (
    Artifact,
    Preprocessing,
    digests_of,
    is_artifact,
    read_artifact,
    write_artifact,
)
from residua.deploy.parity import UNMEASURED
from residua.deploy.runtime import open_runtime
from residua.errors import ResiduaError, UsageError
from residua.files import InUse, beside, locked


def described(folder):
    return Artifact(
        path=folder,
        name="flowers",
        format="onnx",
        precision="fp32",
        computes="float32",
        task="classification",
        answers="classes",
        labels=("玫瑰", "tulip"),
        shape=(3, 8, 8),
        dynamic_batch=True,
        dynamic_size=False,
        outputs={"logits": ("N", "K")},
        preprocessing=Preprocessing(mean=(0.5,) * 3, std=(0.2,) * 3),
        parity=UNMEASURED,
        network={"family": "resnet"},
        provenance={"run": "flowers"},
        digests=digests_of(folder),
    )


def fill(folder):
    (folder / "model.onnx").write_bytes(b"weights")
    return described(folder)


@pytest.fixture
def folder(tmp_path):
    write_artifact(tmp_path / "a", fill)
    return tmp_path / "a"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def change(folder, **values):
    table = json.loads((folder / "artifact.json").read_text("utf-8"))
    (folder / "artifact.json").write_text(json.dumps({**table, **values}), "utf-8")


def refused(folder):
    with pytest.raises(ResiduaError) as caught:
        read_artifact(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_written_is_read(folder):
    found = read_artifact(folder)
    assert found == dataclasses.replace(described(folder), digests=found.digests)
    assert found.labels == ("玫瑰", "tulip")
    assert found.file("model.onnx").read_bytes() == b"weights"
    assert is_artifact(folder)
    assert names(folder.parent) == ["a"]


def test_no_artifact_is_wrong_usage(tmp_path):
    assert not is_artifact(tmp_path)
    with pytest.raises(UsageError, match=r"is no artifact: it has no artifact\.json"):
        read_artifact(tmp_path)


def test_a_changed_file_is_damage(folder):
    (folder / "model.onnx").write_bytes(b"weighty")
    assert refused(folder).endswith(
        "model.onnx is damaged: its bytes do not give the SHA-256 in artifact.json"
    )
    (folder / "model.onnx").unlink()
    assert refused(folder).endswith("model.onnx is missing or no plain file")


@pytest.mark.parametrize(
    "name", ["../model.onnx", "/etc/passwd", "a/b", "..", "", ".hidden", "a\x00b", "c:\\x", "a\nb", "x" * 300]
)
def test_a_name_stays_in_the_folder(folder, name):
    change(folder, digests={name: "sha256:" + "0" * 64})
    assert refused(folder).endswith("is no name of a file beside it")


def test_a_pipe_is_no_model(folder):
    os.mkfifo(folder / "pipe")  # opening it would wait for ever
    change(folder, digests={"pipe": "sha256:" + "0" * 64})
    assert "no plain file" in refused(folder)


def test_what_is_too_large_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(module, "_MOST_FILE", 6)
    assert "has 7 bytes; up to 6 are read" in refused(folder)
    monkeypatch.setattr(module, "_MOST_TABLE", 100)
    assert "artifact.json has" in refused(folder)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"schema": 2}, "schema must be 1, not 2"),
        ({"shape": [3, 0, 8]}, "shape must be (channels"),
        ({"labels": "ab"}, "labels must be a list"),
        ({"answers": "poems"}, "answers must be one of"),
        ({"digests": {"model.onnx": "md5:0"}}, "must be SHA-256"),
        ({"colour": 1}, "has no key 'colour'"),
        ({"path": "/etc"}, ""),  # where it stands is where it was found
    ],
)
def test_a_wrong_table_is_one_line(folder, values, said):
    change(folder, **values)
    if said:
        assert said in refused(folder)
    else:
        assert read_artifact(folder).path == folder


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x) | st.lists(x))
)
def test_any_json_is_an_artifact_or_refused(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("any")
    (folder / "artifact.json").write_text(json.dumps(value), "utf-8")
    refused(folder)


def test_a_file_that_is_not_listed_is_not_opened(folder):
    with pytest.raises(ResiduaError, match=r"lists no model\.pt2"):
        read_artifact(folder).file("model.pt2")
    change(folder, digests={})
    with pytest.raises(ResiduaError):  # without ONNX Runtime that is what is missed first
        open_runtime(read_artifact(folder))


def test_an_unknown_format_is_refused(folder):
    change(folder, format="abacus")
    with pytest.raises(UsageError, match="unknown format 'abacus'"):
        open_runtime(read_artifact(folder))


def test_only_artifacts_are_replaced_and_only_if_asked(folder, tmp_path):
    with pytest.raises(UsageError, match="--overwrite replaces it"):
        write_artifact(folder, fill)
    assert write_artifact(folder, fill, overwrite=True).path == folder
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    with pytest.raises(UsageError, match="is not an artifact"):
        write_artifact(tmp_path / "mine", fill, overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "all of it"


def test_what_fails_leaves_the_old_one_and_nothing_else(folder):
    def fail(place):
        fill(place)
        raise ResiduaError("its answers differ")

    before = (folder / "artifact.json").read_bytes()
    with pytest.raises(ResiduaError, match="its answers differ"):
        write_artifact(folder, fail, overwrite=True)
    assert (folder / "artifact.json").read_bytes() == before
    assert names(folder.parent) == ["a"]
    with pytest.raises(ResiduaError, match="its answers differ"):
        write_artifact(folder.parent / "b", fail)
    assert names(folder.parent) == ["a"]


def test_a_writer_that_was_killed_between_its_renames_has_lost_nothing(folder):
    """The next one puts the old artifact back first, and fails then."""
    folder.rename(beside(folder, module._OLD))
    with pytest.raises(UsageError, match="--overwrite replaces it"):
        write_artifact(folder, fill)
    assert (folder / "model.onnx").read_bytes() == b"weights"
    assert names(folder.parent) == ["a"]


def test_two_writers_at_once(folder):
    with locked(folder), pytest.raises(InUse):
        write_artifact(folder, fill, overwrite=True)
