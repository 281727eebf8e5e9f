"""The places of a network where features are taken: its levels, which run one after the other behind the stem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from residua.errors import UsageError

# of each level: its module, its channels (num_chs), its reduction, its grid
Info = Sequence[Mapping[str, Any]]


def chosen_levels(info: Info, indices: int | Sequence[int] | None = None) -> list[int]:
    """Places in ``info``, rising: all (None), the last so many (a number), or these, negative ones from the end.

    Raises UsageError for places that there are not.
    """
    count = len(info)
    places = range(count) if indices is None else range(-indices, 0) if isinstance(indices, int) else indices
    chosen = places if isinstance(places, Sequence) and {*map(type, places)} == {int} else ()
    if not chosen or any(not -count <= place < count for place in chosen):
        raise UsageError(f"there are {count} levels, 0 to {count - 1} or -{count} to -1, not {indices!r}")
    return sorted({place % count for place in chosen})


def run_levels(
    network: Any, info: Info, x: Tensor, *, taken: Sequence[int], norm: bool, stop_early: bool = False
) -> tuple[Tensor, list[Tensor]]:
    """Run the stem and the levels of ``network``: what the last one gives, and the maps of those ``taken``, in order.

    With ``norm`` the tail is applied to the maps that it fits: of the last level, whose channels it has, or of every
    level with a grid. ``stop_early`` ends behind the last level taken.

    A level with a grid gives a class token and positions, ``(N, 1 + rows * columns, C)``; its maps are
    ``(N, C, rows, columns)``.
    """
    x = network.enter(network.stem(x))
    maps = []
    for place, level in enumerate(info[: taken[-1] + 1] if stop_early else info):
        x = network.get_submodule(level["module"])(x)
        if place not in taken:
            continue
        fits = norm and ("grid" in level or place == len(info) - 1)
        joined = network.leave(x)
        seen = network.tail(joined) if fits else joined
        maps.append(seen[:, 1:].transpose(1, 2).unflatten(2, level["grid"]) if "grid" in level else seen)
    return network.leave(x), maps
