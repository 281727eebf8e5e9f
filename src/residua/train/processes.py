"""The processes of one training: who is which, and what they say to each other (``torch.distributed``).

Every process runs the same training of the same network, on its share of each batch. They meet at a few places, in the
same order everywhere: batch statistics (``shared_batch``), the gradients of a step, its sums, and whether to stop. All
of them add up the same numbers in the same order, so that they stay equal bit for bit, and a run that goes on with as
many processes is the run that was never interrupted.

The gradients are added up here rather than by ``DistributedDataParallel``: that wraps the network, whose state-dict
keys and hooks are the user's; and it sorts its buckets anew after the first step, by which gradient came first, so that
a run that goes on would add up its first step in another order than the run that was never interrupted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import FileStore  # pyright: ignore[reportPrivateImportUsage]  # torch documents it

from residua.errors import ResiduaError, UsageError
from residua.train.launch import LOST, MEETING, asked_for, processes_here

BUCKET_BYTES = 25 * 2**20  # of gradients that are added up at once: the next are packed meanwhile

T = TypeVar("T")


class ProcessLost(ResiduaError):
    """Another process of the training has ended, and this one cannot go on without it."""

    exit_code = LOST


@dataclass(frozen=True)
class Processes:
    """The processes of a training, as seen from the one of number ``rank``; alone by default.

    Every method must be called by all of them, in the same order. Raises ProcessLost if one has ended.
    """

    rank: int = 0
    count: int = 1
    here: int = 1  # of them on this machine

    @property
    def first(self) -> bool:
        """Whether this is the one that writes the run folder and talks to the user."""
        return self.rank == 0

    def share(self, rows: int) -> slice:
        """Which of the rows of a batch are this process's. Raises ResiduaError if one would get none."""
        if rows < self.count:
            raise ResiduaError(
                f"a batch of {rows} cannot be divided among {self.count} processes: a larger --batch-size, "
                "or fewer processes"
            )
        return slice(rows * self.rank // self.count, rows * (self.rank + 1) // self.count)

    def total(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each 0-d tensor, added up over the processes in float64."""
        device = next((value.device for value in values.values() if value.is_cuda), torch.device("cpu"))
        packed = torch.stack([value.detach().to(device, torch.float64) for value in values.values()])
        return dict(zip(values, self.added(packed), strict=True))

    def added(self, values: Tensor) -> Tensor:
        """A tensor, in place, added up over the processes."""
        with _talking():
            dist.all_reduce(values)
        return values

    def beside(self, values: Tensor) -> Tensor:
        """The tensors of all processes, stacked by rank: ``(count, *values.shape)``."""
        found = values.new_empty((self.count, *values.shape))
        with _talking():
            dist.all_gather(list(found.unbind()), values)
        return found

    def gathered(self, *tensors: Tensor) -> list[Tensor]:
        """The rows of all processes, by rank, of tensors that have the same number of rows here."""
        rows = self.beside(torch.tensor(len(tensors[0]))).tolist()
        found = []
        for tensor in tensors:
            padded = tensor.new_zeros((max(rows), *tensor.shape[1:]))
            padded[: len(tensor)] = tensor
            of_all = zip(self.beside(padded), rows, strict=True)
            found.append(torch.cat([part[:count] for part, count in of_all]))
        return found

    def largest(self, *numbers: int) -> list[int]:
        """The largest of each number that any process has; whole numbers."""
        if self.count == 1:
            return list(numbers)
        values = torch.tensor(numbers, dtype=torch.int64)
        with _talking():
            dist.all_reduce(values, dist.ReduceOp.MAX)
        return values.tolist()

    def add_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Add up the gradients of the parameters that learn; one that no process has stays None."""
        waiting = []
        for bucket in _buckets([p for p in parameters if p.requires_grad]):
            # whether there is a gradient stands behind it: the layout must not depend on what a process has
            there = torch.tensor([float(p.grad is not None) for p in bucket])
            own = [torch.zeros_like(p) if p.grad is None else p.grad for p in bucket]
            flat = torch.cat([*(gradient.reshape(-1) for gradient in own), there.to(own[0])])
            with _talking():
                waiting.append((bucket, flat, dist.all_reduce(flat, async_op=True)))
        for bucket, flat, work in waiting:
            with _talking():
                work.wait()
            *found, there = flat.split([*(p.numel() for p in bucket), len(bucket)])
            held = [True] * len(bucket)
            if any(p.grad is None for p in bucket):
                held = there.tolist()  # only then: reading it waits for a GPU
            for parameter, gradient, somewhere in zip(bucket, found, held, strict=True):
                if parameter.grad is not None:
                    parameter.grad.copy_(gradient.view_as(parameter))  # in the memory format that it has
                elif somewhere:
                    parameter.grad = gradient.view_as(parameter)

    def told(self, value: T) -> T:
        """What the first process has; the others' values do not count. Sent as a pickle, among one's own processes."""
        if self.count == 1:
            return value
        values = [value]
        with _talking():
            dist.broadcast_object_list(values, src=0)
        return values[0]

    def of_all(self, value: T) -> list[T]:
        """What each process has, by rank; as ``told``."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        with _talking():
            dist.all_gather_object(values, value)
        return values

    def wait(self) -> None:
        """Go on when all of them have come here."""
        self.largest(0)

    def in_step(self, items: Iterable[T], until: Callable[[], bool]) -> Iterator[T]:
        """This process's items, while the others go through theirs; all end early once ``until()`` is true of one."""
        mine = iter(items)
        nothing = object()
        left, enough = True, False
        while left and not enough:
            item: Any = next(mine, nothing)
            if item is not nothing:
                yield item
            left, enough = self.largest(item is not nothing, until())


ALONE = Processes()
_joined: Processes | None = None


@contextmanager
def joined() -> Iterator[Processes]:
    """Meet the other processes of the training, if the environment says that there are any (as torchrun's does).

    Inside another ``joined`` the same ones. Raises UsageError for an environment that says nonsense, ProcessLost if
    they do not come.
    """
    global _joined
    wanted = asked_for()
    if wanted is None or _joined is not None:
        yield current()
        return
    rank, count = wanted
    ours = not dist.is_initialized()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", rank)) % torch.cuda.device_count())
    if ours:
        meeting = os.environ.get(MEETING)
        where = {"store": FileStore(meeting, count), "rank": rank, "world_size": count} if meeting else {}
        both = torch.cuda.is_available() and dist.is_nccl_available()
        with _talking("the processes of the training do not meet"):
            dist.init_process_group("cpu:gloo,cuda:nccl" if both else "gloo", **where)
    _joined = Processes(rank, count, processes_here())
    try:
        yield _joined
    finally:
        _joined = None
        if ours:
            with suppress(RuntimeError):
                dist.destroy_process_group()


def current() -> Processes:
    """The processes that this one has joined; itself alone, outside ``joined``."""
    return _joined or ALONE


def check_device(device: str, processes: Processes) -> None:
    """Raise UsageError if the processes of this machine cannot have a device each."""
    if processes.count == 1 or not device.startswith("cuda"):
        return
    if ":" in device:
        raise UsageError(f"--device {device} is one device, and each process has its own: --device cuda")
    if processes.here > torch.cuda.device_count():
        raise UsageError(
            f"{processes.here} processes need a GPU each, and this machine has {torch.cuda.device_count()}: "
            "fewer processes, or --device cpu"
        )


def _buckets(parameters: Sequence[torch.nn.Parameter]) -> Iterator[list[torch.nn.Parameter]]:
    """The parameters, last first (as their gradients come), in lists of one kind and about ``BUCKET_BYTES``."""
    bucket: list[torch.nn.Parameter] = []
    size = 0
    for parameter in reversed(parameters):
        alike = not bucket or (parameter.dtype, parameter.device) == (bucket[0].dtype, bucket[0].device)
        if bucket and (size >= BUCKET_BYTES or not alike):
            yield bucket
            bucket, size = [], 0
        bucket.append(parameter)
        size += parameter.nbytes
    if bucket:
        yield bucket


@contextmanager
def _talking(what: str = "another process of this training has ended") -> Iterator[None]:
    """What torch says of a connection that is gone, as one line."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise ProcessLost(f"{what}: {' '.join(str(error).split())[:200]}") from error
