"""Where trainers put a network inside a checkpoint, and what they put before the names of its tensors.

Two tables. A checkpoint is tried under each wrapper and without each prefix that it has, until a layout knows the
names that are left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from residua.convert.tensors import is_tensor
from residua.pickled import Stranger

# Keys of averages over the training stand first: their trainers validate these, and timm loads them
AVERAGES = ("state_dict_ema", "model_ema", "ema_state_dict", "ema", "params_ema")
WRAPPERS = (
    *AVERAGES,
    *("state_dict", "model_state_dict", "model", "net", "network", "module", "params", "weights"),
)
PREFIXES = (
    *("module.", "_orig_mod."),  # DataParallel and AveragedModel, torch.compile
    *("model.", "net.", "network.", "backbone.", "encoder.", "ema."),  # attributes of somebody's own module
)
# Tensors that tools leave beside the network's: AveragedModel's count, thop's operations and parameters
COUNTERS = ("n_averaged", "total_ops", "total_params")
_TRIED = 32  # ways to read a checkpoint; more only a hostile one has
_NESTED = 3  # wrappers inside one another
_LONGEST = 1000  # characters of a name


@dataclass(frozen=True)
class Network:
    """Tensors by name, where they lie in the checkpoint (``("state_dict",)``), and the class of a pickled module."""

    entries: Mapping[str, Any]
    place: tuple[str, ...]
    module: str | None = None


def networks(content: Any) -> Iterator[Network]:
    """What may be a network in a checkpoint: the innermost wrappers first, averages before what they are of."""
    return islice(_networks(content, (), set()), _TRIED)


def _networks(content: Any, place: tuple[str, ...], seen: set[int]) -> Iterator[Network]:
    if id(content) in seen:
        return
    module = content.name if _is_module(content) else None
    table = _state_dict(content, seen) if module else _table(content)
    seen.add(id(content))
    if module is None and len(place) < _NESTED:
        for key in WRAPPERS:
            yield from _networks(table.get(key), (*place, key), seen)
    entries = {name: one for name, one in table.items() if isinstance(name, str) and is_tensor(one)}
    if entries:
        yield Network(entries, place, module)


def _table(value: Any) -> Mapping[Any, Any]:
    """The items of a dictionary, also of a kind that is not known."""
    if isinstance(value, Stranger):
        return value.items or {}
    return value if isinstance(value, Mapping) else {}


def _is_module(value: Any) -> bool:
    return isinstance(value, Stranger) and isinstance(value.state, dict) and "_modules" in value.state


def _state_dict(module: Stranger, seen: set[int]) -> dict[str, Any]:
    """What ``module.state_dict()`` would give, out of the tables that every ``nn.Module`` keeps.

    A module that has two names, or holds itself, has its first name only.
    """
    found: dict[str, Any] = {}
    waiting = [("", module)]
    while waiting:
        prefix, one = waiting.pop()
        if id(one) in seen or not _is_module(one) or len(prefix) > _LONGEST:
            continue
        seen.add(id(one))
        passing = one.state.get("_non_persistent_buffers_set")
        skipped = {name for name in passing if isinstance(name, str)} if isinstance(passing, list) else set()
        for table in ("_parameters", "_buffers"):
            for name, tensor in _table(one.state.get(table)).items():
                if is_tensor(tensor) and name not in skipped:
                    found[f"{prefix}{name}"] = tensor
        children = _table(one.state.get("_modules")).items()
        waiting += [(f"{prefix}{name}.", child) for name, child in children]
    return found


def bare(names: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Ways to call the tensors: as they are, and without prefixes; of what has not the prefix nothing is left."""
    kept = {name: name for name in names if name.rpartition(".")[2] not in COUNTERS}
    return islice(_bare(kept), _TRIED)


def _bare(names: dict[str, str]) -> Iterator[dict[str, str]]:
    if names:
        yield names
        for prefix in PREFIXES:
            found = {name: rest for name, rest in names.items() if rest.startswith(prefix)}
            yield from _bare({name: rest[len(prefix) :] for name, rest in found.items()})
