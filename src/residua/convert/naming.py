"""The registered name of a network that was found out from its weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from residua.convert.layout import Layout
from residua.errors import UsageError
from residua.registry import family, model_spec
from residua.spec import ModelSpec
from residua.weights.model_files import TRACELESS

# fields that leave no trace in weights; what a network is called does not depend on them
TRAINING_ONLY = frozenset({"schema", "family", "name", *TRACELESS})
_SIZES = frozenset({"num_classes", "in_channels"})


def differences(one: ModelSpec, other: ModelSpec, layout: Layout, ignored: frozenset[str]) -> list[str]:
    """The fields in which two specs of a family differ, but for those that are ignored or change nothing."""
    here, there = one.flat(), other.flat()
    idle = layout.idle(one) & layout.idle(other)
    return [key for key in here | there if key not in ignored | idle and here.get(key) != there.get(key)]


def named(spec: ModelSpec, layout: Layout) -> ModelSpec:
    """The spec under the name of the registered network that it is, whatever its classes and channels.

    A network that differs from a registered one only in its shortcut option, or in its stem, has that one's name too.
    """
    for free in (frozenset[str](), frozenset({"shortcut"}), frozenset({"shortcut", "stem"})):
        for known in _candidates(spec, layout):
            if not differences(spec, known, layout, TRAINING_ONLY | _SIZES | free):
                return spec.change(name=known.name)
    return spec


def _candidates(spec: ModelSpec, layout: Layout) -> Iterator[Any]:
    yield from family(spec.family).named.values()
    for name in layout.names(spec):
        try:
            yield model_spec(name)
        except UsageError:  # no network of this pattern has such a depth
            continue
