"""Compiled code is kept: the second process that compiles a network for this machine loads what the first one made.

A folder a network below residua's cache (``machine.cache``), sealed: of files that are damaged nothing is loaded. Where
it cannot be written, or another process holds it for too long, code is compiled in a folder of this process alone.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from torch import nn

from residua.errors import ResiduaError
from residua.machine.cache import COMPILED, cache_folder, cache_problem
from residua.machine.sealed import sealed
from residua.runs.plan import Plan

WAIT_SECONDS = 300.0  # for another process that compiles the same network: its code will do
_PLACES = (
    "TORCHINDUCTOR_CACHE_DIR",
    "TRITON_CACHE_DIR",
)  # where torch.compile puts code, read when it compiles

_log = logging.getLogger("residua")


class KeptCode:
    """Where the code of a compiled step is: made or found in its first call, backward pass and all."""

    def __init__(self, model: nn.Module, plan: Plan) -> None:
        self._model, self._plan = model, plan
        self._ready = plan.compile == "off"

    @contextmanager
    def at_hand(self) -> Iterator[None]:
        """Open while a whole step is taken. Raises ResiduaError if it cannot be compiled."""
        if self._ready:
            yield
            return
        with code_of(self._model, self._plan):
            try:
                yield
            except Exception as error:
                from torch._dynamo.exc import TorchDynamoException  # only here: it takes seconds to import

                if not isinstance(error, TorchDynamoException):  # as failures of inductor are, too
                    raise
                said = str(error).strip().splitlines() or [type(error).__name__]
                raise ResiduaError(
                    f"the step cannot be compiled: {said[0]} (--compile off trains without)"
                ) from error
        self._ready = True


@contextmanager
def code_of(model: nn.Module, plan: Plan) -> Iterator[None]:
    """While open, compiled code of a network goes to its folder in the cache, and comes from there."""
    with ExitStack() as open_until_compiled:
        try:
            if problem := cache_problem():
                raise ResiduaError(problem)
            folder = cache_folder() / COMPILED / code_name(model, plan)
            if damaged := open_until_compiled.enter_context(sealed(folder, WAIT_SECONDS)):
                _log.warning("%s: %d damaged files are compiled anew", folder, len(damaged))
        except ResiduaError as error:
            _log.warning("compiled code is not kept: %s", error)
            # what is loaded from it stays loaded when it goes, or on Windows keeps it there
            folder = Path(
                open_until_compiled.enter_context(
                    tempfile.TemporaryDirectory(prefix="residua-code-", ignore_cleanup_errors=True)
                )
            )
        open_until_compiled.enter_context(_placed(folder))
        yield


def code_name(model: nn.Module, plan: Plan) -> str:
    """The name of a network's folder: its structure, and what of the plan the code depends on."""
    structure = re.sub("0x[0-9a-f]+", "", str(model))  # a function's address is another in every process
    parts = [structure, plan.torch, plan.instruction_set, plan.processor, plan.device, plan.precision]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@contextmanager
def _placed(folder: Path) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _PLACES}
    os.environ |= {
        name: str(folder / part) for name, part in zip(_PLACES, ("inductor", "triton"), strict=True)
    }
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
