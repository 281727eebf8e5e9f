"""The plan of a run as its folder keeps it: every automatic choice, and where it was made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from residua.errors import UsageError
from residua.spec import SCHEMA, Spec

if TYPE_CHECKING:
    import torch

_MOST_THREADS = 4096  # no machine has more cores for one training, and the system would refuse them


@dataclass(frozen=True, kw_only=True)
class Plan(Spec):
    """The choices of one run. The last three fields say where they were made."""

    stored_as: ClassVar[str] = "plan"

    schema: int = SCHEMA
    device: str
    precision: Literal["float32", "bfloat16"]
    threads: int
    workers: int  # threads that decode images
    channels_last: bool
    compile: Literal["off", "network", "units"]
    processes: int = 1  # that share each batch; threads and workers are those of each
    cuda_graphs: bool = False  # a GPU is given a whole compiled step at once
    tf32: bool = False  # a GPU rounds the factors of float32 products to 10 bits of mantissa
    # "low": the backward pass computes most activations again (nn.segments), to the same bits
    memory: Literal["full", "low"] = "full"
    reasons: tuple[str, ...] = ()
    torch: str
    instruction_set: str
    processor: str

    def validate(self) -> None:  # noqa: D102
        least_of = {"threads": 1, "workers": 0, "processes": 1}
        for name, least in least_of.items():
            value = getattr(self, name)
            if not least <= value <= _MOST_THREADS:
                raise UsageError(f"--{name} must be from {least} to {_MOST_THREADS}, not {value}")

    @property
    def memory_format(self) -> torch.memory_format:
        """Where channels stand in memory."""
        import torch  # only here: who reads a run needs none

        return torch.channels_last if self.channels_last else torch.contiguous_format
