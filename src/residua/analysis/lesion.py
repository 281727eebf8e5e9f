"""Cut units out of a network (Veit et al. 2016, sec. 4.1), and put them back as they were.

A residual unit loses its branch: what is left is its shortcut. A plain unit (or one that concatenates) has no shortcut
that stands in for it: it is bypassed where its input has the shape of its output, and else the lesion does not apply.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from residua.errors import UsageError, nearest
from residua.nn import Residual, residual_units


@contextmanager
def lesioned(model: nn.Module, units: Iterable[str]) -> Iterator[None]:
    """While open, the named units of ``model`` (names of ``residual_units``) are without their branches.

    Raises UsageError for an unknown name at once; a forward pass raises it for a unit that cannot be bypassed because
    it changes the shape.
    """
    known = residual_units(model)
    chosen = []
    for name in units:
        if name not in known:
            raise UsageError(f"there is no unit {name!r}{nearest(name, known)}")
        chosen.append((name, known[name]))
    handles = [unit.register_forward_hook(_without_branch(name), with_kwargs=True) for name, unit in chosen]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _without_branch(name: str) -> Any:
    def hook(unit: Residual, args: tuple[Tensor, ...], context: dict[str, Any], output: Tensor) -> Tensor:
        x = args[0]
        shortcut = unit.shortcut(x)
        merged = unit.merge.without_branch(x, shortcut)
        if merged.shape != output.shape:
            raise UsageError(
                f"unit {name} cannot be cut out: without its branch it gives {tuple(merged.shape)}, "
                f"not {tuple(output.shape)}"
            )
        return unit.activation(merged)

    return hook
