"""The training loop. It knows a Task, its batches and a run folder; where it stands is one number, the step."""

from __future__ import annotations

import itertools
import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from residua.errors import ResiduaError
from residua.names import command
from residua.runs.checkpoint import PREFIX, State, network_tensors, save_checkpoint
from residua.runs.layout import BEST, LAST, LOGS, METRICS, TIMINGS
from residua.runs.logs import Log
from residua.spec import Recipe
from residua.train.callbacks import Callbacks, Moment, When
from residua.train.progress import Progress
from residua.train.seeding import seed_torch
from residua.train.supervised import means
from residua.train.task import Batches, Task
from residua.weights.model_files import save_tensors

CHECKPOINT_SECONDS = 30.0  # what a kill -9 can cost, at most, in training time
_CHECKPOINT_SHARE = 0.02  # of the time that goes into checkpoints, where they are large
_STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, kill, a closed terminal


class Interrupted(ResiduaError):
    """A run was asked to stop (Ctrl-C, SIGTERM, a closed terminal); its folder holds all that is needed to go on.

    ``step`` is the one that the checkpoint stands at, if a training step was under way.
    """

    def __init__(self, signal_number: int, how_to_go_on: str, step: int | None = None) -> None:
        super().__init__(f"interrupted{'' if step is None else f' at step {step}'}: {how_to_go_on}")
        self.exit_code = 128 + signal_number
        self.step = step


def _how_to_go_on(folder: Path) -> str:
    return f"{command('residua', 'train', '--resume', folder)} goes on"


@contextmanager
def telling_how_to_go_on(folder: Path) -> Iterator[None]:
    """A Ctrl-C around the loop, where data are read or test images measured, says the same as one in it."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(signal.SIGINT, _how_to_go_on(folder)) from None


def measure(task: Task, batches: Iterable[Any]) -> tuple[dict[str, float | None], int]:
    """Every metric of a task over ``batches``, and of how many samples.

    A figure is None where it is not finite: networks recover from that.
    """
    sums: dict[str, Any] = {}
    for batch in batches:
        for name, value in task.evaluate(batch).items():
            value = value.double() if isinstance(value, Tensor) else value
            sums[name] = sums[name] + value if name in sums else value
    figures = task.metrics(sums) if sums else {}
    finite = {name: value if math.isfinite(value) else None for name, value in figures.items()}
    return finite, int(sums.get("count", 0))


class Loop:
    """Train ``task`` for ``recipe`` on ``batches``, leaving metrics, timings and checkpoints in ``folder``.

    Args:
        task: what is trained.
        batches: training batches, random access by (epoch, index).
        validation: gives the validation batches anew at each call, or None without validation.
        recipe: schedule, length, logging.
        seed: of the draws inside the networks (dropout, drop path), made anew at every step.
        folder: the run folder.
        about: goes into the header of every checkpoint.
        state: where to go on from.
        progress: told of every step.
        callbacks: the caller's.

    """

    def __init__(
        self,
        task: Task,
        batches: Batches,
        validation: Callable[[], Iterable[Any]] | None,
        *,
        recipe: Recipe,
        seed: int,
        folder: Path,
        about: dict[str, Any],
        state: State | None = None,
        progress: Progress,
        callbacks: Callbacks | None = None,
    ) -> None:
        self.task, self.batches, self.validation = task, batches, validation
        self.recipe, self.seed, self.folder, self.about = recipe, seed, folder, about
        self.state = state or State()
        self.progress, self.callbacks = progress, callbacks or Callbacks()
        self.total_steps = recipe.iterations or recipe.epochs * batches.steps_per_epoch
        self._sums: dict[str, Tensor] = {}
        self._logs: dict[str, Log] = {}
        self._signal: int | None = None
        self._saved_at = self._started = time.monotonic()
        self._save_seconds = 0.0
        self._earlier_seconds = self.state.seconds

    def run(self) -> State:
        """Train to the end. Raises Interrupted after a signal, ResiduaError if the loss is no longer finite.

        ResiduaError too if a callback fails; the checkpoint then stands where it did.
        """
        self._logs = {name: Log(self.folder / name, self.state.logs.get(name, ())) for name in LOGS}
        self._sums = {
            name: torch.tensor(value, dtype=torch.float64) for name, value in self.state.sums.items()
        }
        self._started = self._saved_at = time.monotonic()
        self.progress.start(self.state.step, self.total_steps, self.batches.steps_per_epoch)
        with _signals(self._on_signal):
            while not self._finished():
                if self._epoch_to_close():
                    self._close_epoch()
                else:
                    self._train_epoch()
        self._save()
        return self.state

    def tell(self, when: When, epoch: int, metrics: Mapping[str, float | None]) -> None:
        """Call the callbacks. What one raises ends the training where it stands, saved."""
        if not self.callbacks.given:
            return
        moment = Moment(
            step=self.state.step,
            total_steps=self.total_steps,
            epoch=epoch,
            metrics=metrics,
            network=self.task.networks["model"],
            folder=self.folder,
        )
        try:
            self.callbacks.call(when, moment)
        except ResiduaError as error:
            self._save()
            raise ResiduaError(f"{error}; {_how_to_go_on(self.folder)}") from error.__cause__

    def _done(self) -> bool:
        return self.state.step >= self.total_steps or self.callbacks.stopped is not None

    def _finished(self) -> bool:
        return self._done() and not self._epoch_to_close()

    def _epoch_to_close(self) -> bool:
        """Whether steps of an epoch are all done, and its validation and log line are not."""
        epochs = self.state.step / self.batches.steps_per_epoch
        return self.state.epochs_closed < (math.ceil(epochs) if self._done() else math.floor(epochs))

    def _train_epoch(self) -> None:
        """Train to the end of the epoch under way, or of the whole training."""
        epoch, index = divmod(self.state.step, self.batches.steps_per_epoch)
        left = min(self.batches.steps_per_epoch - index, self.total_steps - self.state.step)
        began, first = time.monotonic(), self.state.step
        count = 0
        for batch in itertools.islice(self.batches.epoch(epoch, start=index), left):
            count += self._train_step(batch, epoch)
            if self._done():  # a callback may have ended it
                break
        seconds = time.monotonic() - began
        self._logs[TIMINGS].append(
            {
                "epoch": epoch,
                "steps": self.state.step - first,
                "seconds": seconds,
                "images_per_second": count / seconds,
            }
        )

    def _train_step(self, batch: Any, epoch: int) -> int:
        step = self.state.step
        seed_torch(self.seed, "step", step)
        lr = self._set_lr(step / self.total_steps)
        sums = self.task.step(batch, step / self.total_steps)
        for name, value in sums.items():
            self._sums[name] = (
                self._sums[name].to(value.device) + value if name in self._sums else value.double()
            )
        self.state.step += 1
        self.progress.step(self.state.step)
        figures: dict[str, float | None] = {"lr": lr}
        if self.state.step % self.recipe.log_every == 0:
            figures["loss"] = self._finite(float(sums["loss"]) / max(float(sums["count"]), 1))
            line = {"event": "step", "step": self.state.step, "epoch": epoch, **figures}
            self._logs[METRICS].append(line)
        self.tell("on_step", epoch, figures)
        self._save_if_due()
        return int(sums["count"])

    def _close_epoch(self) -> None:
        """Validate, write the epoch's line, keep the best weights."""
        epoch = self.state.epochs_closed
        train = means(self._sums)
        line: dict[str, Any] = {
            "event": "epoch",
            "epoch": epoch,
            "step": self.state.step,
            "lr": self._set_lr(min(self.state.step, self.total_steps - 1) / self.total_steps),
            **{f"train_{name}": self._finite(value) for name, value in train.items()},
        }
        if self.validation is not None:
            measured, _ = self.measure(self.validation())
            line |= {f"val_{name}": value for name, value in measured.items()}
            value = measured.get(self.task.primary.name)
            if value is not None and self.task.primary.better(value, self.state.best):
                self.state.best, self.state.best_epoch = value, epoch
                self._save_best()
        self._logs[METRICS].append(line)
        for log in self._logs.values():
            log.end_epoch()
        self.progress.epoch(line)
        self.state.epochs_closed += 1
        self.state.last_epoch = line
        self._sums = {}
        figures = {name: value for name, value in line.items() if name not in ("event", "epoch", "step")}
        self.tell("on_epoch", epoch, figures)
        self._save_if_due()

    def measure(self, batches: Iterable[Any]) -> tuple[dict[str, float | None], int]:
        """``measure`` of the task; a signal ends it: what was measured so far is thrown away."""

        def watched() -> Iterator[Any]:
            for batch in batches:
                yield batch
                self._stop_if_asked()

        return measure(self.task, watched())

    def _set_lr(self, progress: float) -> float:
        factor = self.recipe.lr_factor(progress)
        for optimizer in self.task.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor
        return self.recipe.lr * factor

    def _finite(self, loss: float) -> float:
        if not math.isfinite(loss):
            raise ResiduaError(
                f"the loss is no longer finite at step {self.state.step}: "
                f"try a smaller --lr (it was {self.recipe.lr:g})"
            )
        return loss

    def _on_signal(self, number: int) -> None:
        self._signal = number

    def _stop_if_asked(self) -> None:
        if self._signal is not None:
            self._save()
            raise Interrupted(self._signal, _how_to_go_on(self.folder), self.state.step)

    def _save_if_due(self) -> None:
        self._stop_if_asked()
        interval = max(CHECKPOINT_SECONDS, self._save_seconds / _CHECKPOINT_SHARE)
        if time.monotonic() - self._saved_at >= interval:
            self._save()

    def _save(self) -> None:
        began = time.monotonic()
        self.state.sums = {name: self._finite(float(value)) for name, value in self._sums.items()}
        self.state.seconds = self._earlier_seconds + began - self._started
        for name, log in self._logs.items():
            log.sync()
            self.state.logs[name] = log.marks
        save_checkpoint(self.folder / LAST, self.task, self.state, self.about)
        self._saved_at = time.monotonic()
        self._save_seconds = self._saved_at - began

    def _save_best(self) -> None:
        about = {"schema": 1, "model_prefix": PREFIX, "epoch": self.state.best_epoch, **self.about}
        save_tensors(self.folder / BEST, network_tensors(self.task), about)


@contextmanager
def _signals(handle: Callable[[int], None]) -> Iterator[None]:
    """Turn the first of ``_STOPPING`` into a request to stop at the next step; a second one acts at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers: dict[int, Any] = {
        n: signal.getsignal(n) for n in (getattr(signal, name, None) for name in _STOPPING) if n is not None
    }
    before = {n: handler for n, handler in handlers.items() if handler is not signal.SIG_IGN}  # as nohup's

    def ask(number: int, frame: FrameType | None) -> None:
        signal.signal(number, before[number])
        handle(number)

    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
