"""Checks that compute: for the tiny member of a family."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import torch
from torch import nn

from residua.analysis.lesioning import lesioned
from residua.errors import UsageError
from residua.nn import BranchOnly, residual_units
from residua.spec import ModelSpec
from residua.testing.example import assert_close, assert_equal, example, network, tensors
from residua.weights.model_files import build_model, read_weights, save_model


def gradients_reach_everything(spec: ModelSpec) -> None:
    """Every parameter, and an input that is not made of tokens, gets a gradient that is finite and not all zero.

    Zero is allowed where a zero-initialised branch stops it.
    """
    model = network(spec.change(drop_path=0.0) if "drop_path" in spec.fields() else spec).train()
    x = example(spec)
    x.requires_grad_(x.is_floating_point())
    weights = torch.Generator().manual_seed(2)
    outputs = [out for out in tensors(model(x)) if out.is_floating_point()]
    loss = sum((out.float() * torch.randn(out.shape, generator=weights)).sum() for out in outputs)
    loss.backward()  # type: ignore[union-attr]  # 0, if there is no output
    zero_init = getattr(spec, "zero_init", False)
    for name, value in [*model.named_parameters(), *([("input", x)] if x.requires_grad else [])]:
        assert value.grad is not None, f"{name} gets no gradient"
        assert bool(value.grad.isfinite().all()), f"the gradient of {name} is not finite"
        assert zero_init or bool(value.grad.any()), f"the gradient of {name} is zero everywhere"


@torch.no_grad()
def evaluation_repeats(spec: ModelSpec) -> None:
    """In evaluation mode the same input gives the same output, bit for bit."""
    model, x = network(spec), example(spec)
    assert_equal(model(x), model(x))


@torch.no_grad()
def no_drop_path_changes_nothing(spec: ModelSpec) -> None:
    """``drop_path=0`` trains like a network that has no such thing, whatever the mode."""
    if "drop_path.mode" not in spec.flat():
        return  # a family without units
    outputs = []
    for mode in ("sample", "batch"):
        model = network(spec.change(drop_path={"rate": 0.0, "mode": mode})).train()
        torch.manual_seed(3)
        outputs.append(model(example(spec)))
    assert_equal(*outputs)


@torch.no_grad()
def lesions_are_undone(spec: ModelSpec) -> None:
    """Cutting a unit out changes the output where the unit allows it; afterwards it is as before, bit for bit."""
    model, x = network(spec), example(spec)
    before = model(x)
    for name, unit in residual_units(model).items():
        try:
            with lesioned(model, [name]):
                model(x)
        except UsageError:
            assert isinstance(unit.merge, BranchOnly), (
                f"{name} has a shortcut and cannot do without its branch"
            )
        assert_equal(model(x), before)


@torch.no_grad()
def weights_round_trip(spec: ModelSpec) -> None:
    """Saved and loaded, the network gives the same output, bit for bit."""
    model, x = network(spec), example(spec)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        save_model(path, model)
        loaded = build_model(read_weights(path))
    assert_equal(loaded(x), model(x))


@torch.no_grad()
def channels_last_agrees(spec: ModelSpec) -> None:
    """The memory layout changes nothing but rounding."""
    model, x = network(spec), example(spec)
    layout = {4: torch.channels_last, 5: torch.channels_last_3d}.get(x.ndim)
    if layout is not None:
        other = copy.deepcopy(model).to(memory_format=layout)  # type: ignore[call-overload]  # torch takes it alone
        assert_close(other(x.contiguous(memory_format=layout)), model(x), 1e-4)


@torch.no_grad()
def bfloat16_agrees(spec: ModelSpec) -> None:
    """Under autocast the output is that of float32 within what eight bits of mantissa allow."""
    model, x = network(spec), example(spec)
    with torch.autocast("cpu", torch.bfloat16):
        low = model(x)
    assert_close(low, model(x), 0.1)


def wrong_inputs_are_one_line(spec: ModelSpec) -> None:
    """An input of another rank is refused by a UsageError (a ValueError) of one line."""
    model = network(spec)
    x = example(spec)
    try:
        model(x[0, ..., 0] if x.ndim > 2 else x[0])
    except UsageError as error:
        assert "\n" not in str(error), "the message has several lines"
    else:
        raise AssertionError("an input of a wrong rank is accepted")


@torch.no_grad()
def compile_agrees(spec: ModelSpec) -> None:
    """``torch.compile`` traces the network and changes nothing but rounding; names stay clean."""
    compiles_with(spec, "aot_eager")


def compiles_with(spec: ModelSpec, backend: str) -> None:
    """Compile with a backend and compare; ``inductor`` is what training uses and takes its time."""
    model, x = network(spec), example(spec)
    names = list(model.state_dict())
    torch._dynamo.reset()
    compiled = torch.compile(lambda value: model(value), backend=backend, dynamic=False)
    assert_close(compiled(x), model(x), 1e-3)
    assert isinstance(model, nn.Module)
    assert list(model.state_dict()) == names, "compiling renamed tensors"
