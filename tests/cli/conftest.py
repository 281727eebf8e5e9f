"""The command in this process, and a small finished run to copy and to damage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from residua.cli.main import main


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout."""
        return json.loads(self.out)

    def refused(self, code: int) -> str:
        """The one line that says no; anything else fails the test."""
        assert (self.code, self.out) == (code, ""), self
        last = self.err.splitlines()[-1]
        assert last.startswith("residua: "), self.err
        assert self.err.count("residua: ") == 1, self.err
        assert "RESIDUA_TRACEBACK" not in last, "nobody has thought of this: " + last
        return last.removeprefix("residua: ")


@pytest.fixture
def command(capsys) -> Callable[..., Answer]:
    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        assert isinstance(caught.value.code, int)
        return Answer(caught.value.code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A run of the digits, trained by the command itself: 2 epochs of 2 batches."""
    folder = tmp_path_factory.mktemp("trained") / "first"
    with pytest.raises(SystemExit) as caught:
        main(["train", "--run-dir", str(folder), "--epochs", "2", "--limit-batches", "2", "--threads", "1"])
    assert caught.value.code == 0
    return folder


@pytest.fixture
def run(trained, tmp_path, monkeypatch) -> Path:
    """A copy of it as ``runs/first``, the working directory above."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(trained, Path("runs") / "first"))


@pytest.fixture
def unfinished(run) -> Path:
    """The same, as if it had been interrupted after the last step."""
    (run / "result.json").unlink()
    (run / "model.safetensors").unlink()
    return run
