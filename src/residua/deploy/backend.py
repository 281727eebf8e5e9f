"""A backend: something that runs a trained network, in one or several precisions."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from residua.deploy.evidence import Evidence
from residua.deploy.export import deployable, program_of
from residua.deploy.program import Program
from residua.deploy.runtime import Runtime
from residua.evaluation.source import Trained
from residua.machine import machine
from residua.spec import PartSpec

EMULATED = "this processor has no instructions for bfloat16, it would only be emulated"


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """What a backend is given: it leaves the network as it is."""

    trained: Trained
    evidence: Evidence  # images to calibrate on
    threads: int

    @cached_property
    def program(self) -> Program:
        """The network as formats get it, recorded once for all of them. Raises ResiduaError if it cannot be."""
        return program_of(self.trained, deployable(self.trained), self.evidence.test)


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
    def prepare(self, material: Material, precision: str, folder: Path) -> Runtime:
        """What answers as the network does; it may write into ``folder``, which is its own.

        Raises ResiduaError for a network that it does not take.
        """
