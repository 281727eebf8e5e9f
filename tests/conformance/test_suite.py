"""The suite itself: each planted fault is found, by the check that is there for it."""

import threading

import pytest
import torch
from torch import nn

from residua.errors import UsageError
from residua.nn import Add, Residual
from residua.registry import build, model_spec
from residua.testing import ConformanceError, check_model, conventions, heavy, light
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
        monkeypatch.setattr("residua.weights.model_files.build", faulty)

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


def decide_by_values(model):
    model.head.register_forward_hook(lambda module, args, output: output if output.sum() else output + 1)


def freeze_the_batch(model):
    model.head.register_forward_hook(lambda module, args, output: output.reshape(len(output), 10))


def skip_by_a_draw(model):
    model.head.register_forward_hook(
        lambda module, args, output: output + 1 if bool(torch.rand(()) < 0.5) else output
    )


def keep_what_cannot_be_copied(model):
    model.lock = threading.Lock()


class Shared(nn.Module):
    """Its deep copy is itself."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def __deepcopy__(self, memo):
        return self


def share_between_copies(model):
    model.extra = Shared()


def hide_the_classifier(model):
    model.get_classifier = lambda name_only=False: "stem.conv" if name_only else model.stem.conv


def forget_the_classes(model):
    spec, reset = model.spec, model.reset_classifier

    def forgetful(*args):
        reset(*args)
        model.spec = spec

    model.reset_classifier = forgetful


def misstate_the_channels(model):
    model.feature_info[1]["num_chs"] += 1


def update_statistics_twice(model):
    layer = model.stages[0][0].branch.conv1
    layer.register_buffer("calls", torch.zeros(()))
    layer.register_forward_hook(lambda module, args, output: module.calls.add_(1) and None)


def recompute_nothing(model):
    model.set_grad_checkpointing = lambda enable: None


def leave_a_parameter_out(model):
    model.neck = nn.Linear(2, 2)


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
        (decide_by_values, conventions.fx_agrees),
        (freeze_the_batch, conventions.export_agrees),
        (freeze_the_batch, conventions.trace_agrees),
        (skip_by_a_draw, conventions.stochastic_depth_is_one_graph),
        (keep_what_cannot_be_copied, conventions.copies_agree),
        (share_between_copies, conventions.copies_agree),
        (hide_the_classifier, conventions.classifier_is_replaced),
        (forget_the_classes, conventions.classifier_is_replaced),
        (misstate_the_channels, conventions.features_are_stated),
        (update_statistics_twice, conventions.checkpointing_changes_nothing),
        (recompute_nothing, conventions.checkpointing_changes_nothing),
        (leave_a_parameter_out, conventions.parameters_are_grouped),
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
