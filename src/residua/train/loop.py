"""The training loop. It knows a Task, its batches and a run folder; where it stands is one number, the step."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from residua.errors import ResiduaError
from residua.runs.checkpoint import State, load_checkpoint, load_networks
from residua.runs.layout import BEST, GOOD, LAST, METRICS, TIMINGS
from residua.runs.logs import Log, NoLog, open_logs
from residua.spec import Recipe
from residua.train.averages import Averages
from residua.train.callbacks import Callbacks, Moment, When
from residua.train.guard import Diverged, Guard, mean_loss
from residua.train.interruption import Interrupted, how_to_go_on, signals
from residua.train.processes import ALONE, Processes
from residua.train.progress import Progress
from residua.train.saving import Saving
from residua.train.seeding import seed_torch
from residua.train.supervised import means
from residua.train.task import Batches, Task, measure

CHECKPOINT_SECONDS = 30.0  # what a kill -9 can cost, at most, in training time
_CHECKPOINT_SHARE = 0.02  # of the time that goes into checkpoints, where they are large


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
        chance: the loss of a network that knows nothing, which a recipe that backs off compares with.
        callbacks: the caller's.
        processes: those that share each batch. All know where the training stands; the first one writes.

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
        chance: float | None = None,
        callbacks: Callbacks | None = None,
        processes: Processes = ALONE,
    ) -> None:
        self.task, self.batches, self.validation = task, batches, validation
        self.recipe, self.seed, self.folder, self.about = recipe, seed, folder, about
        self.state = state or State()
        self.progress, self.callbacks = progress, callbacks or Callbacks()
        self.processes = processes
        self._guard = Guard(recipe, chance, folder / LAST, self.state.step)
        self.total_steps = recipe.iterations or recipe.epochs * batches.steps_per_epoch
        self._averages = Averages(task, recipe.averaging, batches, total_steps=self.total_steps, seed=seed)
        self._sums: dict[str, Tensor] = {}
        self._logs: dict[str, Log | NoLog] = {}
        self._signal: int | None = None
        self._saving = Saving(
            task, folder, about, self._averages, self._guard, self.state.seconds, writes=processes.first
        )
        self._saved_at, self._save_seconds = time.monotonic(), 0.0

    def run(self) -> State:
        """Train to the end. Raises Interrupted after a signal, ResiduaError if the loss is no longer finite.

        ResiduaError too if a callback fails; the checkpoint then stands where it did.
        """
        self._open_logs()
        self._sums = {
            name: torch.tensor(value, dtype=torch.float64) for name, value in self.state.sums.items()
        }
        self._saved_at = time.monotonic()
        if self.state.step:
            self._averages.load(self.folder / LAST)
        if self.recipe.backoff is not None and not (self.folder / GOOD).exists():
            self._write(GOOD)
        self.progress.start(self.state.step, self.total_steps, self.batches.steps_per_epoch)
        with signals(self._on_signal):
            while not self._finished():
                try:
                    if self._epoch_to_close():
                        self._close_epoch()
                    else:
                        self._train_epoch()
                except Diverged as found:
                    self._back_off(found)
                except Interrupted:
                    self._save()
                    raise
        if self.recipe.patience is not None and self.state.best_epoch is not None:
            self.processes.wait()  # until it is written
            load_networks(self.folder / BEST, self.task)
        else:
            self._averages.put(self.state.step)
        self._save()
        return self.state

    @property
    def stopped(self) -> dict[str, Any] | None:
        """What ended it before its end: by a callback, or because the validation images have told for long enough."""
        patience, state = self.recipe.patience, self.state
        if patience is None or state.waited < patience or state.step >= self.total_steps:
            return self.callbacks.stopped
        why = f"{patience} epochs without a better {self.task.primary.name}"
        return {"by": "patience", "step": state.step, "why": why}

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
            raise ResiduaError(f"{error}; {how_to_go_on(self.folder)}") from error.__cause__

    def _done(self) -> bool:
        return self.state.step >= self.total_steps or self.stopped is not None

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
        seconds, steps = time.monotonic() - began, self.state.step - first
        speed = count / seconds
        line = {"epoch": epoch, "steps": steps, "seconds": seconds, "images_per_second": speed}
        self._logs[TIMINGS].append(line)

    def _train_step(self, batch: Any, epoch: int) -> int:
        step = self.state.step
        seed_torch(self.seed, "step", step)
        lr = self._set_lr(step / self.total_steps)
        sums = self.task.step(batch, step / self.total_steps)
        if self.recipe.backoff is not None or not sums["loss"].is_cuda:  # reading the loss waits for a GPU
            self._guard.look_at_step(step + 1, mean_loss(sums), batch)
        for name, value in sums.items():
            self._sums[name] = (
                self._sums[name].to(value.device) + value if name in self._sums else value.double()
            )
        self.state.step += 1
        self._averages.update(self.state.step)
        self.progress.step(self.state.step)
        figures: dict[str, float | None] = {"lr": lr}
        if self.state.step % self.recipe.log_every == 0:
            figures["loss"] = self._guard.finite(self.state.step, mean_loss(sums))
            line = {"event": "step", "step": self.state.step, "epoch": epoch, **figures}
            self._logs[METRICS].append(line)
        self.tell("on_step", epoch, figures)
        self._save_if_due()
        return int(sums["count"])

    def _close_epoch(self) -> None:
        """Validate, write the epoch's line, keep the best weights."""
        epoch = self.state.epochs_closed
        train = means(self._sums)
        self._guard.look_at_epoch(epoch, self.state.step, train.get("loss", 0.0))
        line: dict[str, Any] = {
            "event": "epoch",
            "epoch": epoch,
            "step": self.state.step,
            "lr": self._set_lr(min(self.state.step, self.total_steps - 1) / self.total_steps),
            **{f"train_{name}": self._guard.finite(self.state.step, value) for name, value in train.items()},
        }
        if self.validation is not None:
            with self._averages.lent(self.state.step):
                measured, _ = self.measure(self.validation())
                line |= {f"val_{name}": value for name, value in measured.items()}
                value = measured.get(self.task.primary.name)
                if value is not None and self.task.primary.better(value, self.state.best):
                    self.state.best, self.state.best_epoch, self.state.waited = value, epoch, 0
                    self._saving.best(epoch)
                else:
                    self.state.waited += 1
        self._logs[METRICS].append(line)
        for log in self._logs.values():
            log.end_epoch()
        self.progress.epoch(line)
        self.state.epochs_closed += 1
        self.state.last_epoch = line
        self._sums = {}
        if self.recipe.backoff is not None:
            self._write(GOOD)
        figures = {name: value for name, value in line.items() if name not in ("event", "epoch", "step")}
        self.tell("on_epoch", epoch, figures)
        self._save_if_due()

    def _back_off(self, found: Diverged) -> None:
        """Go back to the last good epoch, with lower rates.

        The checkpoint says so first: a kill leaves it at the good epoch, or before the step that will diverge again.
        """
        backoffs = self.state.backoffs
        self._guard.check_again(backoffs, found)
        for optimizer in self.task.optimizers.values():
            optimizer.state.clear()  # Adam has one of what has learned, and the good epoch may be before that
        self.processes.wait()  # until it is written
        self.state = load_checkpoint(self.folder / GOOD, self.task)
        self._averages.load(self.folder / GOOD)
        self.state.backoffs = backoffs + 1
        self._sums = {}
        self._open_logs()
        factor = self._guard.factor(self.state.backoffs)
        line = {"event": "backoff", "step": found.step, "back_to": self.state.step, "factor": factor}
        self._logs[METRICS].append(line)
        self._save()
        self.progress.note(
            f"the training diverged ({found}): back to step {self.state.step}, with rates times {factor:g}"
        )

    def _open_logs(self) -> None:
        self._logs = open_logs(self.folder, self.state.logs, write=self.processes.first)

    def measure(self, batches: Iterable[Any]) -> tuple[dict[str, float | None], int]:
        """``measure`` of the task; a signal ends it: what was measured so far is thrown away."""
        watched = self.processes.in_step(batches, until=lambda: self._signal is not None)
        found = measure(self.task, watched, self.processes)
        self._stop_if_asked()
        return found

    def _set_lr(self, progress: float) -> float:
        factor = self.recipe.lr_factor(progress) * self._guard.factor(self.state.backoffs)
        for optimizer in self.task.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor
        return self.recipe.lr * factor

    def _on_signal(self, number: int) -> None:
        self._signal = number

    def _stop_if_asked(self) -> None:
        """Whoever is asked, all stop, at the same step. ``run`` saves, once the networks have their own weights."""
        ended = self.callbacks.stopped is not None
        signal, ended = self.processes.largest(self._signal or 0, ended)
        if ended and self.callbacks.stopped is None:
            self.callbacks.stopped = {"by": "the first process", "step": self.state.step}
        if signal:
            raise Interrupted(signal, how_to_go_on(self.folder), self.state.step)

    def _save_if_due(self) -> None:
        self._stop_if_asked()
        interval = max(CHECKPOINT_SECONDS, self._save_seconds / _CHECKPOINT_SHARE)
        if time.monotonic() - self._saved_at >= interval:
            self._save()

    def _save(self) -> None:
        began = time.monotonic()
        self._write(LAST)
        self._guard.saved = self.state.step
        self._saved_at = time.monotonic()
        self._save_seconds = self._saved_at - began

    def _write(self, name: Path) -> None:
        self._saving.checkpoint(name, self.state, self._sums, self._logs)
