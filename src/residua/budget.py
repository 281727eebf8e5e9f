"""What a network may ask for: a spec read from anybody's file may not keep its reader busy or take its memory.

Sizes and units are limited in every spec (residua.spec); parameters are counted while the network is being built.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from residua.errors import ResiduaError, UsageError

MOST_SIZE = 1_000_000  # of any one number of a spec (classes, channels), and of the sum of a list of them
MOST_ENTRIES = 1_000  # of a list of a spec: stages
MOST_UNITS = 2_000  # ResNet-1202 has 600
MOST_PARAMETERS = 1_000_000_000  # 4 GB in float32
_UNCOUNTED = 1_000_000  # parameters that are drawn before a network is counted; CIFAR's have fewer


class limit:  # noqa: N801
    """Call ``exceeded`` once the modules made inside have more parameters, or more tensors of them, than told."""

    def __init__(self, parameters: int, exceeded: Callable[[], None], tensors: int = sys.maxsize) -> None:
        self._parameters, self._tensors, self._exceeded = parameters, tensors, exceeded

    def __enter__(self) -> None:
        _watch()
        _here.limits.append(self)

    def __exit__(self, *exception: object) -> None:
        _here.limits.remove(self)

    def count(self, numbers: int) -> None:
        """One more tensor, of ``numbers`` parameters."""
        self._parameters, self._tensors = self._parameters - numbers, self._tensors - 1
        if min(self._parameters, self._tensors) < 0:
            self._exceeded()


class _Here(threading.local):
    """The limits that hold in this thread."""

    def __init__(self) -> None:
        self.limits: list[limit] = []


_here = _Here()
_watching = threading.Lock()


def _watch() -> None:
    """Have torch report every parameter that is made, from now on."""
    # for good: torch goes through its hooks while other threads build networks, so that none may come and go
    from torch.nn.modules.module import register_module_parameter_registration_hook

    if _watching.acquire(blocking=False):
        register_module_parameter_registration_hook(_see)


def _see(module: Any, name: str, parameter: Any) -> None:
    if parameter is not None:
        for one in _here.limits:
            one.count(parameter.numel())


class _LargeError(Exception):
    """A network that is to be counted before it is built."""


def build_within(name: str, make: Callable[[], Any]) -> Any:
    """The network that ``make()`` builds; a large one is counted on the meta device before it gets its memory.

    Raises UsageError for one of more than ``MOST_PARAMETERS``, and where torch cannot make its tensors.
    """
    import torch

    from residua.meta import without_numbers

    def refuse() -> None:
        raise UsageError(f"{name} has more than {MOST_PARAMETERS:,} parameters, the most that residua builds")

    large = _LargeError()  # of this call: a backbone is a network within a network

    def give_up() -> None:
        raise large

    on_meta = torch.get_default_device().type == "meta"
    draws = torch.get_rng_state()
    try:
        try:
            with limit(MOST_PARAMETERS, refuse) if on_meta else limit(_UNCOUNTED, give_up):
                return make()
        except _LargeError as error:
            if error is not large:
                raise
        with without_numbers(), limit(MOST_PARAMETERS, refuse):
            make()
        torch.set_rng_state(draws)
        return make()
    except ResiduaError:
        raise
    except (RuntimeError, ValueError, OverflowError) as error:  # a size beyond 64 bits, or beyond the memory
        raise UsageError(f"{name} cannot be built: {next(iter(str(error).splitlines()), error)}") from error
