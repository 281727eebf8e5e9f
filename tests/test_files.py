"""The lock, the atomic write and what killed writers leave, with writers in processes of their own."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from residua.errors import ResiduaError
from residua.files import (
    LOCK,
    NEW,
    InUse,
    beside,
    in_use,
    locked,
    sweep,
    write_atomic,
    write_json,
    write_text,
)

HOLD = """
import sys, time
from pathlib import Path
from residua.files import locked, write_atomic
def wait(path):
    path.write_text("half")
    print("held", flush=True)
    time.sleep(60)
if sys.argv[1] == "lock":
    with locked(Path(sys.argv[2])):
        print("held", flush=True)
        time.sleep(60)
write_atomic(Path(sys.argv[2]), wait)
"""


class Other:
    """Another process that holds a path (``lock``) or is in the middle of writing it (``write``)."""

    def __init__(self, verb, path):
        command = [sys.executable, "-c", HOLD, verb, str(path)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "held\n"

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.communicate()


def hidden(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_every_spelling_of_a_path_is_one_lock(tmp_path, monkeypatch):
    (tmp_path / "real" / "run").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path / "real")
    with Other("lock", tmp_path / "real" / "run") as other:
        for spelling in (
            "run",
            "./run",
            "../link/run",
            tmp_path / "link" / "run",
            tmp_path / "real/../real/run",
        ):
            said = rf"is in use by process {other.process.pid} on .*residua-lock"
            with pytest.raises(InUse, match=said), locked(Path(spelling)):
                pass
            assert in_use(Path(spelling))
    assert not in_use(Path("run"))
    with locked(Path("run")):  # the lock of a killed process is free, and goes
        pass
    assert hidden(tmp_path / "real") == []


@pytest.mark.parametrize("name", ["x" * 255, "画" * 85, "x" * 240])
def test_names_as_long_as_the_file_system_takes(tmp_path, name):
    write_text(tmp_path / name, "text")
    with locked(tmp_path / name), pytest.raises(InUse), locked(tmp_path / name):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_long_names_that_some_file_systems_take_for_one_have_one_lock(tmp_path):
    assert beside(tmp_path / ("É" * 126), LOCK) == beside(tmp_path / ("e\u0301" * 126), LOCK)
    assert beside(tmp_path / ("a" * 250), LOCK) != beside(tmp_path / ("b" * 250), LOCK)


def test_where_the_parent_cannot_be_written_the_lock_lies_in_the_folder(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path and real(path, mode))
    with locked(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK).exists()
        assert hidden(tmp_path) == []
        with pytest.raises(InUse), locked(tmp_path / "run"):
            pass
    assert hidden(tmp_path / "run") == []


def test_what_cannot_be_locked_is_one_line(tmp_path):
    with pytest.raises(ResiduaError, match=r"cannot write .*missing/a: No such file or directory"):
        write_text(tmp_path / "missing" / "a", "text")


def test_the_next_writer_in_a_folder_clears_away_what_a_killed_one_left_and_nothing_else(tmp_path):
    foreign = [".mine.tmp", ".a.json.lock", ".residua-new-idea", "b.residua-new"]
    for name in foreign:
        (tmp_path / name).touch()
    with Other("write", tmp_path / "a.json"):
        assert hidden(tmp_path) == sorted([".a.json.residua-lock", ".a.json.residua-new", *foreign[:3]])
    with Other("write", tmp_path / "c.json"):
        write_json(tmp_path / "b.json", {})  # a is dead, c is not
        assert {f".a.json{NEW}", f".c.json{NEW}"} & set(hidden(tmp_path)) == {f".c.json{NEW}"}
    sweep(tmp_path)
    assert hidden(tmp_path) == sorted(foreign[:3])
    assert (tmp_path / "b.residua-new").exists()


def test_a_second_writer_of_a_file_waits(tmp_path):
    inside, second = threading.Event(), threading.Thread(target=write_text, args=(tmp_path / "a", "second"))

    def first(path):
        second.start()
        inside.wait(0.2)
        path.write_text("first")

    write_atomic(tmp_path / "a", first)
    second.join()
    assert (tmp_path / "a").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_nobodys_link_is_followed(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / f".a{NEW}").symlink_to(tmp_path / "precious")
    write_text(tmp_path / "a", "text")
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_file_is_as_public_as_any_other(tmp_path):
    def private(path):
        path.write_text("text")
        path.chmod(0o600)

    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "a", private)
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_many_writers_lose_nothing(tmp_path):
    """The lock file comes and goes; never do two hold it."""
    held, most = [], []

    def work():
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            with locked(tmp_path / "a", wait=10):
                held.append(1)
                most.append(len(held))
                time.sleep(0.0005)
                held.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert len(most) > 10
