"""Mending a run by its last checkpoint: logs that lost what it knows, and the final weights of a complete run."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from residua.runs.checkpoint import State, read_state
from residua.runs.folder import RunFolder
from residua.runs.intact import is_intact, naming_what_is_intact
from residua.runs.layout import LOGS, METRICS, WEIGHTS
from residua.runs.logs import Log, lines, read_bytes, sound
from residua.weights.digest import hasher
from residua.weights.model_files import build_model, read_weights, save_model
from residua.weights.tensor_files import read_about, read_tensors, save_tensors


def mend_logs(folder: Path, checkpoint: Path) -> list[str]:
    """Cut damaged logs back to their whole lines and tell the checkpoint. Returns what there is to say of it.

    The last epoch's line, which the checkpoint knows, is written again; others are lost. The caller holds the folder.
    Raises ResiduaError if the checkpoint is damaged too, or something cannot be written.
    """
    with naming_what_is_intact(folder):
        state = read_state(checkpoint, read_about(checkpoint))
        paths = [folder / name for name in LOGS if name in state.logs]
        damaged = [path for path in paths if not _whole(path, state)]
        # also to learn whether it is the checkpoint that is damaged
        tensors, about = read_tensors(checkpoint) if damaged else ({}, {})
    said = [_cut(path, state) for path in damaged]
    if damaged:
        save_tensors(checkpoint, tensors, {**about, "state": asdict(state)})
    return said + [
        f"{path}: nothing vouches for it" for path in paths if state.logs[path.name][-1][1] is None
    ]


def mend_weights(run: RunFolder) -> list[str]:
    """Write the final weights of a complete run anew, if they are lost. Returns what there is to say of it.

    The caller holds the folder. Raises ResiduaError if the checkpoint is damaged too, or something cannot be written.
    """
    path = run.path / WEIGHTS
    if is_intact(path):
        return []
    with naming_what_is_intact(run.path):
        final = read_weights(run.last)
    save_model(path, build_model(final), final.data)
    return [f"{path} was damaged, and is whole again: they are the weights of {run.last.name}"]


def _whole(path: Path, state: State) -> bool:
    marks = state.logs[path.name]
    return sound(read_bytes(path), marks) == len(marks)


def _cut(path: Path, state: State) -> str:
    """Cut a log back; the state has its new marks then. Returns a sentence that says what is missing."""
    content, marks = read_bytes(path), state.logs[path.name]
    good = marks[: sound(content, marks)]
    end = good[-1][0] if good else 0
    if len(content) < marks[-1][0]:  # only its end is lost: nothing says that the lines before are not right
        end += lines(content[end:])
    kept = content[:end]
    log = Log(path, [*good, (end, hasher(kept).hexdigest())])
    last = json.dumps(state.last_epoch).encode()
    if path.name == METRICS and state.last_epoch and last not in kept:
        log.append(state.last_epoch)
    log.sync()
    state.logs[path.name] = log.marks
    if log.marks[-1] == marks[-1]:
        return f"{path} was damaged, and is whole again: the checkpoint knew the line that was missing"
    return f"{path} was damaged: {_after(kept, state)} missing from it; the weights are whole"


def _after(kept: bytes, state: State) -> str:
    last: dict[str, Any] = json.loads(kept.splitlines()[-1]) if kept else {}
    if "event" in last or not last:
        return f"lines of steps {last.get('step', 0) + 1} to {state.step} are"
    return f"lines after that of epoch {last.get('epoch')} are"
