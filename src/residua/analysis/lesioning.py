"""Cut units out of a network, or let them change places (Veit et al. 2016, sec. 4), and put it back as it was.

A residual unit loses its branch: what is left is its shortcut. A plain unit, or a layer that stands in no unit, has no
shortcut that stands in for it: it is bypassed where its input has the shape of its output, and else the lesion does not
apply. Zeroing it would cut the network in two, and make the comparison with residual networks a straw man.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from residua.analysis.sites import layers
from residua.errors import UsageError, nearest
from residua.nn import Residual, residual_units


@contextmanager
def lesioned(model: nn.Module, names: Iterable[str]) -> Iterator[None]:
    """While open, the named units of ``model`` are without their branches, the named layers bypassed.

    Names are those of ``residual_units`` and of ``sites.layers``. Raises UsageError for an unknown name at once; a
    forward pass raises it for a plain unit or a layer that cannot be bypassed because it changes the shape.
    """
    known = _known(model)
    units = residual_units(model)
    handles = []
    try:
        for name, parts in _find(known, names):
            if name in units:
                handles.append(units[name].register_forward_hook(_without_branch(name), with_kwargs=True))
            else:
                handles += _bypass(name, model.get_submodule(parts[0]), model.get_submodule(parts[-1]))
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def reordered(model: nn.Module, swaps: Sequence[tuple[str, str]]) -> Iterator[None]:
    """While open, units (or layers) of ``model`` have changed places: for each pair, whatever now stands at the two.

    The modules themselves move, and nothing is copied: afterwards the network is the same, bit for bit. Raises
    UsageError for an unknown name, and for two that are not made of as many modules or of which one holds the other.
    Whether the shapes fit is for the forward pass to find out (``Site.swaps_with`` tells).
    """
    known = _known(model)
    moves = []  # all places are looked up before anything moves
    for (a, ours), (b, theirs) in ((_find(known, [a])[0], _find(known, [b])[0]) for a, b in swaps):
        if len(ours) != len(theirs) or f"{a}.".startswith(f"{b}.") or f"{b}.".startswith(f"{a}."):
            raise UsageError(f"{a} and {b} cannot change places")
        moves += [(_place(model, one), _place(model, other)) for one, other in zip(ours, theirs, strict=True)]
    try:
        for move in moves:
            _swap(*move)
        yield
    finally:
        for move in reversed(moves):
            _swap(*move)


_Place = tuple[nn.Module, str]  # where a module hangs, and under which name


def _place(model: nn.Module, name: str) -> _Place:
    parent, _, key = name.rpartition(".")
    return model.get_submodule(parent), key


def _swap(one: _Place, other: _Place) -> None:
    (a, i), (b, j) = one, other
    a._modules[i], b._modules[j] = b._modules[j], a._modules[i]


def _known(model: nn.Module) -> dict[str, tuple[str, ...]]:
    return {name: (name,) for name in residual_units(model)} | layers(model)


def _find(known: dict[str, tuple[str, ...]], names: Iterable[str]) -> list[tuple[str, tuple[str, ...]]]:
    found = []
    for name in names:
        if name not in known:
            raise UsageError(f"there is no unit {name!r}{nearest(name, known)}")
        found.append((name, known[name]))
    return found


def _without_branch(name: str) -> Any:
    def hook(unit: Residual, args: tuple[Tensor, ...], context: dict[str, Any], output: Tensor) -> Tensor:
        x = args[0]
        merged = unit.merge.without_branch(x, unit.shortcut(x))
        _check_shapes(name, merged, output)
        return unit.activation(merged)

    return hook


def _bypass(name: str, first: nn.Module, last: nn.Module) -> list[Any]:
    entered: list[Tensor] = []

    def remember(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        entered[:] = [args[0]]

    def leave(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        x = entered.pop()
        _check_shapes(name, x, output)
        return x

    return [first.register_forward_pre_hook(remember), last.register_forward_hook(leave)]


def _check_shapes(name: str, without: Tensor, output: Tensor) -> None:
    if without.shape != output.shape:
        raise UsageError(
            f"{name} cannot be cut out: without it there is {tuple(without.shape)}, not {tuple(output.shape)}"
        )
