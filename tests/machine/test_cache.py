"""The cache is this user's own folder, says what it holds, and is emptied; where it cannot be used, it says why."""

from __future__ import annotations

import os
import stat

import pytest

from residua.files import locked
from residua.machine.cache import COMPILED, TIMED, cache_folder, cache_problem, empty, kept


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("RESIDUA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_where_it_lies(monkeypatch, tmp_path):
    monkeypatch.delenv("RESIDUA_CACHE", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "residua"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which the standard says to ignore
    assert cache_folder().parts[-2:] == (".cache", "residua")
    monkeypatch.setenv("RESIDUA_CACHE", "here")
    assert cache_folder() == tmp_path.cwd() / "here"


def test_it_is_made_for_this_user_alone(cache):
    assert cache_problem() is None
    assert not list(cache.iterdir())
    if os.name == "posix":
        assert stat.S_IMODE(cache.stat().st_mode) == 0o700
        cache.chmod(0o777)
        assert "not this user's alone" in cache_problem()


def test_a_place_that_cannot_be_a_folder_is_said(cache):
    cache.write_text("a file")
    problem = cache_problem()
    assert problem.startswith(f"cannot write {cache}: ") and "\n" not in problem
    assert kept().problem == problem
    assert (kept().size, empty()) == (0, 0)


def test_it_is_counted_and_emptied_but_for_what_is_in_use(cache):
    for name in ("one", "two"):
        (cache / COMPILED / name).mkdir(parents=True)
        (cache / COMPILED / name / "code.so").write_bytes(bytes(100))
    (cache / TIMED).mkdir()
    (cache / TIMED / "three.json").write_bytes(bytes(10))
    found = kept()
    assert (found.size, found.compiled, found.timed, found.problem) == (210, 2, 1, None)
    with locked(cache / COMPILED / "two"):
        assert empty() >= 110
        assert [path.name for path in (cache / COMPILED).glob("[!.]*")] == ["two"]
    empty()
    assert kept().size == 0
