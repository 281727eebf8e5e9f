"""The doctor says what is missing, what that means and how to get it."""

from __future__ import annotations

import dataclasses
import json

import pytest

from residua.cli import doctor as room
from residua.machine import Compiler, Gpu, extras, machine


def finding(subject, **changes):
    found = {f.subject: f for f in room.diagnose(dataclasses.replace(machine(), **changes))}
    return found[subject]


def test_json_is_one_object_on_stdout(capsys):
    room.doctor(json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["schema"] == 1
    assert {"processor", "threads", "memory", "compiler", "gpu"} <= {f["subject"] for f in report["findings"]}
    assert report["machine"]["usable_cores"] >= 1


def test_plain_lines_when_not_a_terminal(capsys):
    room.doctor()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(list(room.diagnose(machine())))
    assert all(line.split()[0] in ("ok", "note", "missing") for line in lines)


def test_a_table_on_a_terminal_keeps_brackets(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setattr(room, "extras", lambda: {"track": {"tensorboard": None}})
    room.doctor()
    assert "-e '.[track]'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("compiler", "status", "said"),
    [
        (Compiler(name="g++", version="g++ 12"), "ok", "torch.compile works"),
        (Compiler(name="g++", version=None, problem="not found"), "missing", "not compiled; install g++"),
        (Compiler(name="g++", version="g++ 12", problem="it lacks OpenMP (x)"), "missing", "not compiled"),
    ],
)
def test_compiler(compiler, status, said):
    found = finding("compiler", compiler=compiler)
    assert found.status == status and said in found.meaning


def test_processor_without_bf16():
    assert finding("processor", instructions=("avx2",)).status == "note"
    assert finding("processor", instructions=("avx512_bf16",)).status == "ok"


def test_threads_that_do_not_fit_the_cores():
    assert finding("threads", usable_cores=1).status == "ok"  # the tests run with one thread
    assert "--threads 4" in finding("threads", usable_cores=4).meaning


def test_the_cache_is_shown_and_emptied(capsys, monkeypatch, tmp_path):
    cache = tmp_path / "cache"
    monkeypatch.setenv("RESIDUA_CACHE", str(cache))
    (cache / "compiled" / "net").mkdir(parents=True)
    cache.chmod(0o700)
    (cache / "compiled" / "net" / "code.so").write_bytes(bytes(2**20))
    assert f"{cache}: 1.0 MiB, code of 1 networks" in finding("cache").found
    room.doctor(empty_cache=True, json=True)
    captured = capsys.readouterr()
    assert f"removed 1.0 MiB from {cache}" in captured.err
    (shown,) = [f for f in json.loads(captured.out)["findings"] if f["subject"] == "cache"]
    assert shown["status"] == "ok" and "0.0 MiB, code of 0" in shown["found"]


def test_a_cache_that_cannot_be_used_says_where_another_could_be(monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("RESIDUA_CACHE", str(tmp_path / "cache"))
    found = finding("cache")
    assert found.status == "note" and "cannot write" in found.found and "RESIDUA_CACHE=" in found.meaning


def test_unknown_memory_is_said():
    assert "unknown" in finding("memory", memory=None, memory_available=None).found


def test_gpu():
    gpu = Gpu(name="Some GPU", memory=8 * 2**30, capability=(7, 5), cuda="13.0")
    assert finding("gpu", gpus=(gpu,)).meaning == "training runs here; no bfloat16 in hardware"
    assert "8.0 GiB" in finding("gpu", gpus=(gpu,)).found
    assert "bf16" in finding("gpu", gpus=(dataclasses.replace(gpu, capability=(8, 0)),)).meaning


def test_every_extra_for_users_has_its_use():
    assert set(extras()) - {"test", "dev"} == set(room.EXTRA_USES)
