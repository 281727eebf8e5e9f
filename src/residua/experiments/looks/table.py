"""What experiments measure inside a network, by name: functions of (network, data, seed, options) to figures.

A figure is a number; a list is a curve of the drawing (its abscissa is the list called ``x``, named by
``x_label``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from residua.errors import UsageError, nearest
from residua.experiments.looks.inside import finding, lesions, path_counts
from residua.experiments.looks.network import (
    branch_weights,
    deepened,
    probabilities,
    responses,
    training_step,
)
from residua.experiments.looks.published import published_figure
from residua.experiments.looks.theory import scalar_growth, signal, singular_values, transmitted
from residua.experiments.looks.time import skipping

Look = Callable[..., dict[str, Any]]


def _cost(
    network: Any, data: Any, seed: int, *, input_shape: tuple[int, ...] | None = None
) -> dict[str, Any]:
    """Exact parameters and multiply-adds, in all and of the head, the stem and the projections."""
    from residua.analysis.cost import cost

    counted = cost(network, input_shape or network.spec.usual_input)
    parts = {
        f"{part.part}_{name}": getattr(part, name)
        for part in counted.parts
        for name in ("parameters", "multiply_adds")
    }
    return {
        "parameters": counted.parameters,
        "multiply_adds": counted.multiply_adds,
        "gigaflops": counted.multiply_adds / 1e9,
        "projection_parameters": counted.projections.parameters,
        **parts,
    }


LOOKS: dict[str, Look] = {
    "cost": _cost,
    "branch_weights": branch_weights,
    "deepened": deepened,
    "probabilities": probabilities,
    "published_figure": published_figure,
    "responses": responses,
    "training_step": training_step,
    "finding": finding,
    "lesions": lesions,
    "path_counts": path_counts,
    "scalar_growth": scalar_growth,
    "signal": signal,
    "singular_values": singular_values,
    "skipping": skipping,
    "transmitted": transmitted,
}


def look_at(name: str, network: Any, data: Any, seed: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the look called ``name`` sees. Raises UsageError for an unknown name."""
    if name not in LOOKS:
        raise UsageError(f"unknown look {name!r}{nearest(name, LOOKS)}")
    return LOOKS[name](network, data, seed, **options)
