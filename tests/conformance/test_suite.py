"""The suite itself: each planted fault is found, by the check that is there for it."""

import pytest
import torch
from torch import nn

from residua.errors import UsageError
from residua.nn import Add, Residual
from residua.registry import build, model_spec
from residua.testing import ConformanceError, check_model, heavy, light
from residua.testing.check import Check

SPEC = model_spec("cifar_resnet8")


@pytest.fixture
def plant(monkeypatch):
    """Make every network that the suite builds pass through ``change``."""

    def planted(change):
        def faulty(spec):
            model = build(spec)
            return change(model) or model

        monkeypatch.setattr("residua.testing.example.build", faulty)
        monkeypatch.setattr("residua.analysis.skeleton.build", faulty)
        monkeypatch.setattr("residua.models.weights.build", faulty)

    return planted


def cut_gradient(model):
    model.stem.register_forward_hook(lambda module, args, output: output.detach())


def share_a_parameter(model):
    model.extra = nn.Linear(64, 10)
    model.extra.weight = model.head.fc.weight


def stray_merge(model):
    model.add = Add()


def forget_the_spec(model):
    model.spec = None


def draw_in_evaluation(model):
    model.head.register_forward_hook(lambda module, args, output: output + torch.randn(()))


def hide_state(model):
    model.scale = 1 + torch.rand(())  # not a buffer: lost when saved
    model.head.register_forward_hook(lambda module, args, output: output * model.scale)


def take_anything(model):
    model.forward = lambda x: x


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (cut_gradient, heavy.gradients_reach_everything),
        (share_a_parameter, light.no_parameter_has_two_names),
        (stray_merge, light.units_are_residual),
        (forget_the_spec, light.builds_and_runs_without_numbers),
        (draw_in_evaluation, heavy.evaluation_repeats),
        (hide_state, heavy.weights_round_trip),
        (take_anything, heavy.wrong_inputs_are_one_line),
    ],
)
def test_a_planted_fault_is_found(plant, fault, check):
    check_model(SPEC, checks=[Check(check)])
    plant(fault)
    with pytest.raises(ConformanceError, match=f"cifar_resnet8: {check.__name__}: "):
        check_model(SPEC, checks=[Check(check)])


def test_all_failures_are_said_at_once(plant):
    plant(stray_merge)
    bad = [Check(light.units_are_residual), Check(light.spec_round_trip), Check(light.units_are_residual)]
    with pytest.raises(ConformanceError) as failed:
        check_model(SPEC, checks=bad)
    assert len(str(failed.value).splitlines()) == 2


def test_large_members_are_held_to_the_light_checks_only():
    assert "gradients_reach_everything" not in check_model("resnet18")
    assert "gradients_reach_everything" in check_model("cifar_resnet8")


def test_unknown_names_are_refused():
    with pytest.raises(UsageError):
        check_model("resnet19")


def test_a_unit_is_a_residual():
    assert isinstance(build(SPEC).stages[0][0], Residual)
