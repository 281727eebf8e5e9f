"""Damaged run folders: every verb that reads them says in one line which file is wrong, and loses nothing."""

import json
import struct

import pytest

NOT_JSON = b'{"schema": 1, "na'


def _changed(**changes):
    def change(file):
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return change


def _replaced(content):
    return lambda file: file.write_bytes(content)


def _flipped(file):
    content = bytearray(file.read_bytes())
    content[-3] ^= 4
    file.write_bytes(content)


def _cut(file):
    file.write_bytes(file.read_bytes()[:-100])


def _header(change):
    """Rewrite what a weight file says of itself."""

    def rewrite(file):
        content = file.read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        about = json.loads(header["__metadata__"]["residua"])
        change(about)
        header["__metadata__"]["residua"] = json.dumps(about)
        new = json.dumps(header).encode()
        file.write_bytes(struct.pack("<Q", len(new)) + new + content[8 + length :])

    return rewrite


RESUME = ("train", "--resume", "first")
EVALUATE = ("evaluate", "first", "--limit-batches", "1")
REPORT = ("report", "first")

DAMAGE = [
    ("spec.json", _replaced(NOT_JSON), [RESUME, REPORT]),
    ("spec.json", _replaced(b"[]"), [RESUME, REPORT]),
    ("spec.json", _changed(depths=[1]), [RESUME]),
    ("spec.json", _changed(depths=[10**9] * 3), [RESUME]),
    ("recipe.json", _replaced(b""), [RESUME, REPORT]),
    ("recipe.json", _changed(epochs="3"), [RESUME]),
    ("recipe.json", _changed(log_every=0), [RESUME]),
    ("plan.json", _replaced(b"\xff\xfe"), [RESUME, REPORT]),
    ("plan.json", _changed(threads=0), [RESUME]),
    ("plan.json", _changed(threads=10**30), [RESUME]),
    ("plan.json", _changed(precision="float8"), [RESUME, EVALUATE]),
    ("data.json", _replaced(b"null"), [RESUME, EVALUATE, REPORT]),
    ("data.json", _changed(storage=3), [RESUME]),
    ("data.json", _changed(spec={"source": 3}), [RESUME, EVALUATE]),
    ("data.json", _changed(kind=None), [RESUME]),
    ("env.json", _replaced(b"3"), [RESUME, REPORT]),
    ("env.json", _changed(seed="0"), [RESUME]),
    ("env.json", _changed(sessions=None), [RESUME]),
    ("env.json", _changed(limit_batches="2"), [RESUME]),
    ("metrics.jsonl", _cut, [REPORT]),
    ("metrics.jsonl", _replaced(b"x\n"), [REPORT]),
    ("checkpoints/last.safetensors", _cut, [RESUME, EVALUATE]),
    ("checkpoints/last.safetensors", _replaced(b""), [RESUME, EVALUATE]),
    ("checkpoints/last.safetensors", _replaced(struct.pack("<Q", 2**63) + b"{"), [RESUME, EVALUATE]),
    ("checkpoints/last.safetensors", _header(lambda about: about.pop("state")), [RESUME]),
    ("checkpoints/last.safetensors", _header(lambda about: about["state"].update(step="4")), [RESUME]),
    ("checkpoints/last.safetensors", _header(lambda about: about["state"].update(step=-4)), [RESUME]),
    ("checkpoints/last.safetensors", _header(lambda about: about["state"].update(logs=[])), [RESUME]),
    (
        "checkpoints/last.safetensors",
        _header(lambda about: about["state"].update(best=float("nan"))),
        [RESUME],
    ),
    (
        "checkpoints/last.safetensors",
        _header(lambda about: about["spec"].update(widths=[8, 8, 8])),
        [EVALUATE],
    ),
]


@pytest.mark.parametrize(
    ("name", "damage", "verbs"), DAMAGE, ids=[f"{i}-{d[0]}" for i, d in enumerate(DAMAGE)]
)
def test_the_damaged_file_is_named(command, unfinished, name, damage, verbs):
    file = unfinished / name
    damage(file)
    before = {path: path.read_bytes() for path in unfinished.rglob("*") if path.is_file()}
    for tokens in verbs:
        said = command(*tokens).refused(1)
        assert file.name in said or "first" in said
    for path in before.keys() - {unfinished / "env.json"}:  # env.json also counts the sessions that failed
        assert path.read_bytes() == before[path]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_cut, "whole again: the checkpoint knew the line that was missing"),
        (lambda file: file.unlink(), "lines of steps 1 to 4 are missing"),
        (_replaced(b"\0" * 2000), "lines of steps 1 to 4 are missing"),
        (
            _replaced(b'{"event": "step", "step": 3, "epoch": 1, "lr": 0.1, "loss": 2.0}\n'),
            "lines of steps 4 to 4 are missing",
        ),
    ],
)
def test_a_log_that_lost_lines_is_cut_and_said_and_the_training_goes_on(
    command, unfinished, trained, damage, said
):
    damage(unfinished / "metrics.jsonl")
    assert "metrics.jsonl is damaged" in command(*REPORT).refused(1)
    answer = command(*RESUME)
    assert answer.code == 0, answer.err
    assert said in answer.err
    assert (unfinished / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()
    assert command(*REPORT).code == 0
    last = (trained / "metrics.jsonl").read_bytes().splitlines()[-1]
    assert (unfinished / "metrics.jsonl").read_bytes().endswith(last + b"\n")


@pytest.mark.parametrize("damage", [_flipped, lambda file: file.unlink(), _replaced(b"")])
def test_lost_final_weights_are_made_anew_from_the_checkpoint(command, run, trained, damage):
    damage(run / "model.safetensors")
    command("evaluate", run).refused(1)
    answer = command(*RESUME)
    assert answer.code == 0
    assert "model.safetensors was damaged, and is whole again" in answer.err
    assert (run / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()
    assert "whole again" not in command(*RESUME).err
    damage(run / "model.safetensors")
    damage(run / "checkpoints" / "last.safetensors")
    command(*RESUME).refused(1)


@pytest.mark.parametrize("damage", [_replaced(b"{}"), _changed(seconds=None), _changed(epochs="2")])
def test_a_damaged_result(command, run, damage):
    damage(run / "result.json")
    assert "result.json" in command("runs", "first").refused(1)
    assert command(*EVALUATE).code == 0  # needs none of it


def test_a_checkpoint_can_be_evaluated_by_itself(command, run):
    for name in ("last", "best"):
        file = run / "checkpoints" / f"{name}.safetensors"
        assert command("evaluate", file, "digits", "--json").json["n"] == 360
