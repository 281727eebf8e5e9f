"""Compiled code is kept from one process to the next; a cache that is damaged or not writable stops nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from residua.errors import ResiduaError
from residua.machine import compiler
from residua.machine.cache import COMPILED
from residua.train import Request, make_plan
from residua.train.compiled_code import KeptCode, code_name, code_of

NETWORK = torch.nn.Linear(2, 2)
PLAN = make_plan(Request(device="cpu", threads=1), NETWORK, 0, 0)
VARIABLE = "TORCHINDUCTOR_CACHE_DIR"

# compiles a small function with its gradients, and says what came of it and whether its code was at hand
STEP = """
import json, time, torch
from torch import nn
from torch._dynamo.utils import counters
from residua.train import Request, make_plan
from residua.train.compiled_code import KeptCode
torch.manual_seed(0)
torch.set_num_threads(1)
network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
plan = make_plan(Request(compile="on", threads=1, precision="float32", device="cpu"), network, 0, 0)
step = torch.compile(lambda x: network(x).logsumexp(1).mean(), dynamic=False)
began = time.monotonic()
with KeptCode(network, plan).at_hand():
    loss = step(torch.randn(4, 3, 8, 8))
    loss.backward()
norm = sum(float(p.grad.square().sum()) for p in network.parameters())
hits = counters["inductor"]["fxgraph_cache_hit"]
print(json.dumps({"seconds": time.monotonic() - began, "hits": hits, "found": [float(loss), norm]}))
"""


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("RESIDUA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_code_goes_to_the_network_s_own_folder_and_the_variable_is_given_back(cache, monkeypatch):
    monkeypatch.setenv(VARIABLE, "before")
    with code_of(NETWORK, PLAN):
        place = os.environ[VARIABLE]
        assert place.startswith(str(cache / COMPILED / code_name(NETWORK, PLAN)))
    assert os.environ[VARIABLE] == "before"
    monkeypatch.delenv(VARIABLE)
    with code_of(NETWORK, PLAN):
        pass
    assert VARIABLE not in os.environ


def test_other_networks_precisions_and_machines_have_other_folders():
    others = [
        PLAN.change(precision="bfloat16"),
        PLAN.change(instruction_set="AVX512"),
        PLAN.change(torch="9"),
    ]
    names = {code_name(NETWORK, plan) for plan in (PLAN, *others)} | {code_name(torch.nn.Linear(2, 3), PLAN)}
    assert len(names) == 5
    assert code_name(torch.nn.Linear(2, 2), PLAN.change(reasons=("x",))) == code_name(NETWORK, PLAN)


def test_a_function_in_a_network_has_no_address_in_the_name():
    class Shaped(torch.nn.Module):
        def extra_repr(self):
            return f"{object()}"

    assert code_name(Shaped(), PLAN) == code_name(Shaped(), PLAN)


def test_a_cache_that_cannot_be_written_is_said_and_gone_without(cache, caplog):
    cache.write_text("a file where the folder should be")
    with code_of(NETWORK, PLAN):
        place = Path(os.environ[VARIABLE]).parent
        assert place.is_dir() and cache not in place.parents
    assert "compiled code is not kept: cannot write" in caplog.text
    assert not place.exists()


def test_a_folder_that_another_process_holds_for_long_is_gone_without(cache, caplog, monkeypatch):
    monkeypatch.setattr("residua.train.compiled_code.WAIT_SECONDS", 0.1)
    with code_of(NETWORK, PLAN), code_of(NETWORK, PLAN):
        assert not os.environ[VARIABLE].startswith(str(cache))
    assert "in use" in caplog.text


def test_only_the_first_step_looks_at_the_cache(cache):
    code, places = KeptCode(NETWORK, PLAN.change(compile="network")), []
    for _ in range(3):
        with code.at_hand():
            places.append(os.environ.get(VARIABLE, ""))
    assert [str(cache) in place for place in places] == [True, False, False]


def test_what_is_not_compiled_needs_no_cache(cache):
    with KeptCode(NETWORK, PLAN).at_hand():
        assert str(cache) not in os.environ.get(VARIABLE, "")
    assert not cache.exists()


def test_what_the_compiler_cannot_do_is_one_line(cache):
    code = KeptCode(NETWORK, PLAN.change(compile="network"))
    with pytest.raises(ResiduaError, match=r"compiled: g\+\+ died .*--compile off") as failed, code.at_hand():
        raise torch._dynamo.exc.TorchDynamoException("g++ died\nat length")
    assert "\n" not in str(failed.value)


def in_new_process(cache, count=1):
    """What ``STEP`` says in so many processes at once, and their stderr."""
    environment = {**os.environ, "RESIDUA_CACHE": str(cache)}
    began = [
        subprocess.Popen([sys.executable, "-c", STEP], env=environment, stdout=-1, stderr=-1, text=True)
        for _ in range(count)
    ]
    said = [process.communicate(timeout=600) for process in began]
    assert [process.returncode for process in began] == [0] * count, said
    return [json.loads(out) for out, _ in said], "".join(err for _, err in said)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(compiler().problem is not None, reason="no C++ compiler")
def test_two_processes_share_it_and_a_third_mends_it(cache):
    """Real code: compiled once for two processes at once, found by later ones, made anew where it was damaged."""
    (first, second), _ = in_new_process(cache, 2)
    assert sorted(bool(one["hits"]) for one in (first, second)) == [False, True]
    assert first["found"] == second["found"]

    for path in (cache / COMPILED).rglob("*"):
        if path.is_file() and path.name != "seal.json":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])  # as a full disk leaves it
    (mended,), said = in_new_process(cache)
    assert "damaged files are compiled anew" in said
    assert mended["hits"] == 0 and mended["found"] == first["found"]
    (again,), said = in_new_process(cache)
    assert again["hits"] > 0 and not said
    assert again["seconds"] < mended["seconds"]
    assert first["found"] == again["found"]
