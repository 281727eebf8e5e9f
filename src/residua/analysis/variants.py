"""The same network drawn anew: with and without its shortcuts, with and without norms, after He and after Xavier."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from residua.analysis.unit_calls import exact_copy
from residua.analysis.unit_parts import kind_of
from residua.errors import UsageError
from residua.nn import he_init, residual_units, without_norms, without_shortcuts, xavier_init

Init = Literal["He", "Xavier"]
INITS: dict[Init, Callable[..., None]] = {"He": he_init, "Xavier": xavier_init}


@dataclass(frozen=True, kw_only=True, eq=False)
class Variant:
    """A freshly initialised copy, in float64 and training mode; its parameters are frozen."""

    network: str
    init: Init
    norms: bool
    model: nn.Module

    @property
    def label(self) -> str:
        """Such as ``plain, He, without norms``."""
        return f"{self.network}, {self.init}, {'with' if self.norms else 'without'} norms"


def counterparts(model: nn.Module) -> dict[str, nn.Module]:
    """The network as ``"residual"`` and, where it has a counterpart without shortcuts, as ``"plain"``.

    Raises UsageError for a network without units.
    """
    kinds = {kind_of(unit) for unit in residual_units(model).values()}
    if not kinds:
        raise UsageError(f"{type(model).__name__} has no residual units to look at")
    if kinds == {"plain"}:
        return {"plain": model}
    try:
        return {"residual": model, "plain": without_shortcuts(model)}
    except UsageError:  # merges by concatenation
        return {"residual": model}


def variants(networks: Mapping[str, nn.Module], *, seed: int = 0) -> Iterator[Variant]:
    """Every network with and without its norms, after He and after Xavier, drawn from ``seed``.

    Drawn are convolutions and, in units, fully connected layers; everything else is reset by its ``reset_parameters``,
    where it has one. The networks themselves are untouched.
    """
    for name, network in networks.items():
        exact = exact_copy(network).train()
        bare = without_norms(exact)
        for norms in (True, False) if _count(bare) < _count(exact) else (False,):
            for init in INITS:
                model = exact_copy(exact if norms else bare).train()
                redraw(model, init, seed)
                yield Variant(network=name, init=init, norms=norms, model=model)


def _count(model: nn.Module) -> int:
    """Modules that are more than an identity."""
    return sum(not isinstance(module, nn.Identity) for module in model.modules())


def redraw(model: nn.Module, init: Init, seed: int) -> None:
    """Initialise ``model`` anew, in place. torch's generator stays where it is."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for module in model.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
        INITS[init](model)
        for unit in residual_units(model).values():
            INITS[init](unit, linear=True)
