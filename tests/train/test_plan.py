import dataclasses

import pytest
import torch

from residua.errors import ResiduaError, UsageError
from residua.machine import Compiler, usable_cores
from residua.registry import build, model_spec
from residua.train import plan as plans
from residua.train.compile import compile_scope
from residua.train.plan import Plan, Request, applied, check_here, divided_anew, make_plan
from residua.train.processes import Processes


@pytest.fixture
def network():
    return build(model_spec("cifar_resnet8"))


def test_a_small_step_takes_one_thread_and_a_large_one_every_core(network):
    assert make_plan(Request(), network, 1e6, 10).threads == 1
    assert make_plan(Request(), network, 1e10, 10).threads == usable_cores()
    assert make_plan(Request(threads=3), network, 1e6, 10).threads == 3


def test_every_automatic_choice_has_its_reason(network):
    plan = make_plan(Request(device="cpu"), network, 1e6, 10)
    assert any("thread" in reason for reason in plan.reasons)
    assert any(plan.precision in reason for reason in plan.reasons)
    assert any("not compiled" in reason for reason in plan.reasons)


@pytest.mark.parametrize(("fast", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_precision_follows_the_machine(network, monkeypatch, fast, precision):
    here = dataclasses.replace(plans.machine(), instructions=("amx_bf16",) if fast else ())
    monkeypatch.setattr(plans, "machine", lambda: here)
    assert make_plan(Request(device="cpu"), network, 1, 1).precision == precision


def test_what_is_asked_is_compiled_where_a_compiler_works(network, monkeypatch):
    monkeypatch.setattr(plans, "compiler", lambda: Compiler(name="g++", version="12"))
    assert make_plan(Request(device="cpu", compile="on"), network, 1, 1).compile == "network"
    assert make_plan(Request(device="cpu", compile="off"), network, 1e9, 1e9).compile == "off"
    assert make_plan(Request(device="cpu"), network, 1e9, 1e9).compile == "off"  # nothing could be timed
    monkeypatch.setattr(plans, "compiler", lambda: Compiler(name="g++", version=None, problem="not found"))
    with pytest.raises(UsageError, match=r"needs a C\+\+ compiler"):
        make_plan(Request(device="cpu", compile="on"), network, 1, 1)


def test_a_gpu_rounds_products_only_while_a_plan_says_so(network):
    plan = make_plan(Request(device="cpu"), network, 1, 1)
    rounds = lambda: (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)  # noqa: E731
    before = rounds()
    with applied(plan.change(tf32=True)):
        assert rounds() == (True, True)
    with applied(plan):
        assert rounds() == (False, False)
    assert rounds() == before


def test_a_plan_of_an_earlier_version_reads_back(network):
    stored = make_plan(Request(device="cpu"), network, 1, 1).to_dict()
    for name in ("cuda_graphs", "tf32"):
        del stored[name]
    assert Plan.from_dict(stored).cuda_graphs is False


def test_deep_and_randomly_skipped_networks_are_compiled_by_the_unit(network):
    assert compile_scope(network) == "network"
    assert compile_scope(build(model_spec("cifar_resnet8", drop_path=0.5, drop_path_mode="batch"))) == "units"
    with torch.device("meta"):
        assert compile_scope(build(model_spec("cifar_resnet1202"))) == "units"


def test_a_plan_is_of_one_machine_and_version(network):
    plan = make_plan(Request(device="cpu"), network, 1, 1)
    check_here(plan)
    for field in ("torch", "instruction_set", "processor"):
        with pytest.raises(ResiduaError, match="another"):
            check_here(plan.change(**{field: "another"}))


def test_threads_are_lent_not_taken(network):
    before = torch.get_num_threads()
    with applied(make_plan(Request(threads=before + 2), network, 1, 1)):
        assert torch.get_num_threads() == before + 2
    assert torch.get_num_threads() == before


def test_a_plan_reads_back(network):
    plan = make_plan(Request(device="cpu"), network, 1, 1)
    assert Plan.from_dict(plan.to_dict()) == plan


def test_several_processes_share_the_cores_and_do_not_compile(network, monkeypatch):
    monkeypatch.setattr(plans, "usable_cores", lambda: 12)
    plan = make_plan(Request(device="cpu", processes=Processes(0, 8, 4)), network, 1e12, 10**6)
    assert (plan.processes, plan.threads, plan.workers, plan.compile) == (8, 3, 3, "off")
    assert "3 threads: the cores, shared by 4 processes" in plan.reasons
    with pytest.raises(UsageError, match="--compile on is for one process"):
        make_plan(Request(device="cpu", compile="on", processes=Processes(0, 8, 4)), network, 1e12, 10**6)
    crowded = make_plan(Request(device="cpu", processes=Processes(0, 64, 64)), network, 1e12, 10)
    assert crowded.threads == 1


def test_a_plan_of_another_number_of_processes_is_refused_or_divided_anew(network, monkeypatch):
    monkeypatch.setattr(plans, "usable_cores", lambda: 6)
    plan = make_plan(Request(device="cpu", threads=5), network, 1e6, 10)
    check_here(plan)
    with pytest.raises(ResiduaError, match="trained by 1 process, here 2 would"):
        check_here(plan, Processes(0, 2, 2))
    divided = divided_anew(plan, Processes(0, 2, 2))
    check_here(divided, Processes(0, 2, 2))
    assert (divided.processes, divided.threads) == (2, 3)
    assert divided_anew(plan, Processes()) is plan


def test_a_plan_from_before_there_were_several_processes_is_of_one(network):
    stored = make_plan(Request(device="cpu"), network, 1e6, 10).to_dict()
    del stored["processes"]
    assert Plan.from_dict(stored).processes == 1
