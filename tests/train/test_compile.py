import pytest
import torch

from residua.machine import compiler
from residua.registry import build, model_spec
from residua.train import fit
from residua.train.compile import compiled
from residua.weights.model_files import read_weights

needs_compiler = pytest.mark.skipif(compiler().problem is not None, reason="no C++ compiler")


def test_off_is_the_step_itself():
    def step():
        return 1

    assert compiled(step, torch.nn.Identity(), "off") is step


def test_units_are_compiled_only_inside_the_step(monkeypatch):
    model = build(model_spec("cifar_resnet8", drop_path=0.5, drop_path_mode="batch"))
    calls = []
    monkeypatch.setattr(torch, "compile", lambda function, **_: lambda x: calls.append(1) or function(x))
    step = compiled(lambda x: model(x).sum(), model.eval(), "units")
    keys = list(model.state_dict())
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(step(x), model(x).sum())
    assert len(calls) == 3  # one a unit in the step, none in the eager call
    assert list(model.state_dict()) == keys
    assert not any("forward" in unit.branch.__dict__ for unit in model.modules() if hasattr(unit, "branch"))


def test_sums_of_a_replayed_graph_are_the_caller_s_own(monkeypatch):
    """A CUDA graph writes its results where it wrote them before."""
    static = torch.zeros(())

    def compile(function, **how):
        assert how["options"] == {"triton.cudagraphs": True}

        def replay(x):
            loss, sums = function(x)
            static.copy_(sums["count"])
            return loss, {"count": static}

        return replay

    monkeypatch.setattr(torch, "compile", compile)
    step = compiled(lambda x: (x.sum(), {"count": x.sum()}), torch.nn.Identity(), "network", graphs=True)
    first = step(torch.ones(2))[1]["count"]
    assert (float(step(torch.ones(3))[1]["count"]), float(first)) == (3, 2)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"drop_path": 0.5, "drop_path_mode": "batch"}])
def test_a_compiled_training_learns_and_leaves_clean_names(tmp_path, changes):
    options = {"threads": 1, "progress": False, "recipe_changes": {"epochs": 4}, "model_changes": changes}
    run = fit("cifar_resnet8", run_dir=tmp_path / "run", compile="on", **options)
    assert run.plan.compile == ("units" if changes else "network")
    assert run.result["test_accuracy"] > 0.8
    assert not any("_orig_mod" in name for name in read_weights(run.weights).tensors)
