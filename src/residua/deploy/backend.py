"""A backend: something that runs a trained network, in one or several precisions."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from residua.deploy.runtime import Runtime
from residua.machine import machine
from residua.spec import PartSpec

if TYPE_CHECKING:
    from residua.evaluation.source import Trained
    from residua.spec import DataSpec

EMULATED = "this processor has no instructions for bfloat16, it would only be emulated"


@dataclass(frozen=True, kw_only=True)
class Backend(PartSpec):
    """How a network is brought to answer. One file of ``residua.deploy.backends`` holds those of one library."""

    slot: ClassVar[str] = "backend"
    precisions: ClassVar[tuple[str, ...]] = ("fp32",)
    format: ClassVar[str] = ""  # of the artifact that it runs; empty where it runs none

    def lacks(self, precision: str) -> str:
        """Why it cannot be used here in a precision, in a few words; empty if it can."""
        return EMULATED if precision == "bf16" and not machine().has_fast_bf16 else ""

    @abstractmethod
    def prepare(
        self,
        trained: Trained,
        precision: str,
        *,
        data: str | Path | DataSpec | None,
        threads: int,
        folder: Path,
    ) -> Runtime:
        """What answers as the network does; it may write into ``folder``, which is its own. The network stays as it is.

        ``data`` are images for what has to be calibrated. Raises ResiduaError for a network that it does not take.
        """
