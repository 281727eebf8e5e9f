"""What experiments measure inside a network, by name: functions of (network, data, seed, options) to figures.

A figure is a number; a list is a curve of the drawing (its abscissa is the list called ``x``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from residua.errors import UsageError, nearest

Look = Callable[..., dict[str, Any]]


def _cost(
    network: Any, data: Any, seed: int, *, input_shape: tuple[int, ...] | None = None
) -> dict[str, Any]:
    """Exact parameters and multiply-adds, in all and of the head, the stem and the projections."""
    from residua.analysis.cost import cost

    counted = cost(network, input_shape or network.spec.usual_input)
    parts = {f"{part.part}_parameters": part.parameters for part in counted.parts}
    return {
        "parameters": counted.parameters,
        "multiply_adds": counted.multiply_adds,
        "gigaflops": counted.multiply_adds / 1e9,
        "projection_parameters": counted.projections.parameters,
        **parts,
    }


LOOKS: dict[str, Look] = {
    "cost": _cost,
}


def look_at(name: str, network: Any, data: Any, seed: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the look called ``name`` sees. Raises UsageError for an unknown name."""
    if name not in LOOKS:
        raise UsageError(f"unknown look {name!r}{nearest(name, LOOKS)}")
    return LOOKS[name](network, data, seed, **options)
