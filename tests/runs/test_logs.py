"""Logs: what a checkpoint vouches for is told from what it does not, and what is whole survives the rest."""

import json
import shutil
from dataclasses import asdict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from residua.errors import ResiduaError
from residua.runs.checkpoint import State
from residua.runs.logs import Log, damaged_logs, lines, read_log, sound
from residua.runs.mend import mend_logs
from residua.weights.tensor_files import read_about, save_tensors

STEPS, EPOCH = 12, 4


def line(step):
    return {"event": "step", "step": step, "epoch": (step - 1) // EPOCH, "loss": 1 / step}


def end_of(epoch):
    return {"event": "epoch", "epoch": epoch, "step": (epoch + 1) * EPOCH, "val_loss": 1.5}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of 3 epochs of 4 steps, and a step beyond the checkpoint."""
    folder = tmp_path_factory.mktemp("run")
    log = Log(folder / "metrics.jsonl")
    for step in range(1, STEPS + 1):
        log.append(line(step))
        if step % EPOCH == 0:
            log.append(end_of(step // EPOCH - 1))
            log.end_epoch()
    log.sync()
    state = State(step=STEPS, epochs_closed=3, last_epoch=end_of(2), logs={"metrics.jsonl": log.marks})
    (folder / "checkpoints").mkdir()
    about = {"schema": 1, "state": asdict(state), "kept": "as it is"}
    save_tensors(folder / "checkpoints" / "last.safetensors", {"a": torch.arange(5.0)}, about)
    log.append(line(STEPS + 1))
    return folder


@st.composite
def damages(draw):
    kind = draw(st.sampled_from(["flip", "cut", "zeros", "gone"]))
    return kind, draw(st.floats(0, 1, exclude_max=True)), draw(st.integers(0, 7))


def damaged(content, damage):
    kind, where, bit = damage
    at = int(where * len(content))
    if kind == "flip":
        return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]
    return {"cut": content[:at], "zeros": content[:at] + bytes(len(content) - at), "gone": b""}[kind]


@given(damages())
def test_any_damage_is_found_named_and_mended_to_whole_lines(run, tmp_path_factory, damage):
    folder = tmp_path_factory.mktemp("damaged") / "run"
    shutil.copytree(run, folder)
    path, checkpoint = folder / "metrics.jsonl", folder / "checkpoints" / "last.safetensors"
    whole = path.read_bytes()
    known = whole[: whole.rindex(b"\n", 0, -1) + 1]  # all but the last line
    path.write_bytes(damaged(known, damage))
    with pytest.raises(ResiduaError, match=r"metrics\.jsonl is damaged: .*--resume"):
        read_log(folder)
    assert damaged_logs(folder) == ["metrics.jsonl"]
    (said,) = mend_logs(folder, checkpoint)
    assert str(path) in said
    assert read_log(folder) == path.read_bytes()
    kept, original = path.read_bytes().splitlines(), known.splitlines()
    assert kept[-1] == original[-1]  # the checkpoint knew the last epoch's line
    assert kept[:-1] == original[: len(kept) - 1] or kept == original
    assert read_about(checkpoint)["kept"] == "as it is"
    assert mend_logs(folder, checkpoint) == []


def test_lines_that_a_cut_leaves_whole_are_kept_and_the_others_said(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "metrics.jsonl"
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b'"step": 7,')])
    (said,) = mend_logs(tmp_path / "run", tmp_path / "run" / "checkpoints" / "last.safetensors")
    assert "lines of steps 7 to 12 are missing" in said
    steps = [json.loads(text)["step"] for text in path.read_bytes().splitlines()]
    assert steps == [1, 2, 3, 4, 4, 5, 6, 12]


def test_what_follows_the_checkpoint_is_cut_without_a_word(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    path, checkpoint = (
        tmp_path / "run" / "metrics.jsonl",
        tmp_path / "run" / "checkpoints" / "last.safetensors",
    )
    assert mend_logs(tmp_path / "run", checkpoint) == []
    marks = read_about(checkpoint)["state"]["logs"]["metrics.jsonl"]
    log = Log(path, [(size, digest) for size, digest in marks])
    assert path.stat().st_size == marks[-1][0]
    assert log.marks[-1] == tuple(marks[-1])


def test_a_damaged_checkpoint_is_no_reason_to_cut_a_log(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    path, checkpoint = (
        tmp_path / "run" / "metrics.jsonl",
        tmp_path / "run" / "checkpoints" / "last.safetensors",
    )
    digest = read_about(checkpoint)["state"]["logs"]["metrics.jsonl"][-1][1].encode()
    checkpoint.write_bytes(checkpoint.read_bytes().replace(digest, digest[::-1]))
    before = path.read_bytes()
    for read in (lambda: mend_logs(tmp_path / "run", checkpoint), lambda: read_log(tmp_path / "run")):
        with pytest.raises(ResiduaError, match=r"last\.safetensors is damaged"):
            read()
    assert path.read_bytes() == before


def test_version_0_1_knew_lengths_only_and_that_is_said(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "metrics.jsonl").write_text('{"event": "step"}\n')
    state = asdict(State(step=3))
    del state["logs"]
    checkpoint = tmp_path / "checkpoints" / "last.safetensors"
    save_tensors(checkpoint, {"a": torch.zeros(1)}, {"state": {**state, "offsets": {"metrics.jsonl": 18}}})
    assert mend_logs(tmp_path, checkpoint) == [f"{tmp_path / 'metrics.jsonl'}: nothing vouches for it"]
    (tmp_path / "metrics.jsonl").write_text('{"event"')
    (said,) = mend_logs(tmp_path, checkpoint)
    assert "was damaged: lines of steps 1 to 3 are missing" in said


def test_marks_are_checked_from_the_first():
    log = b'{"a": 1}\n{"b": 2}\n'
    assert sound(log, []) == 0
    assert sound(log, [(9, None), (18, None)]) == 2
    assert sound(log[:-1], [(9, None), (18, None)]) == 1
    assert sound(log, [(9, "0" * 32), (18, None)]) == 0


@pytest.mark.parametrize(
    "rest", [b"", b'{"b": ', b"3\n", b"\0\0\0\n", b"nonsense\n{}\n", b"[" * 10**5 + b"\n"]
)
def test_whole_lines_end_where_anything_else_begins(rest):
    assert lines(b'{"a": 1}\n' + rest) == 9


def test_a_log_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "log").mkdir()
    with pytest.raises(ResiduaError, match=r"cannot read .*log"):
        Log(tmp_path / "log")
