"""One sitting of a training: from where it stands to its end, the test images, and the files that complete a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from residua.analysis.cost import totals
from residua.data import AnyData
from residua.data.decoding import unreadable
from residua.data.splits import StreamingSplit
from residua.files import remove
from residua.runs import layout
from residua.runs.checkpoint import State
from residua.runs.folder import RunFolder
from residua.spec import Recipe, Tracker
from residua.train.callbacks import Callbacks
from residua.train.loop import Loop
from residua.train.plan import applied
from residua.train.prepare import file_header
from residua.train.processes import ALONE, Processes
from residua.train.progress import Progress
from residua.train.task import IllustratedTask, Task, divide, run_task
from residua.train.track import tracked
from residua.weights.model_files import save_model

EVAL_BATCH = 256


def eval_batch(recipe: Recipe) -> int:
    """Samples in a batch of an evaluation; the figures of some tasks follow it in their last digits."""
    return min(EVAL_BATCH, 4 * recipe.batch_size)


@dataclass(kw_only=True)
class Session:
    """A training that has been begun, or put together again, and the folder that says how it is to be done."""

    folder: RunFolder
    task: Task
    data: AnyData
    state: State
    progress: Progress
    trackers: Sequence[Tracker] = ()
    callbacks: Callbacks = field(default_factory=Callbacks)
    processes: Processes = ALONE

    def run(self) -> RunFolder:
        """Train to the end, measure the test part once, and write what makes the run complete.

        The caller holds the folder (``runs.place.writing``), or is not the first process, which alone writes.
        """
        folder, network = self.folder, self.task.networks["model"]
        plan, recipe, about = folder.plan, folder.recipe, file_header(network, self.data)
        divide(self.task, run_task(folder).kind, self.processes)
        placed = {"device": plan.device, "memory_format": plan.memory_format, "limit": folder.limit}
        turn, others = self._divided()

        def part(split: str) -> Any:
            return self.data.eval_batches(split, eval_batch(recipe), **placed, **turn)

        with applied(plan), tracked(folder, self.progress, self.trackers) as progress:
            loop = Loop(
                self.task,
                self.data.train_batches(recipe, seed=folder.seed, **placed, **others),
                (lambda: part("val")) if self.data.val is not None else None,
                recipe=recipe,
                seed=folder.seed,
                folder=folder.path,
                about=about,
                state=self.state,
                progress=progress,
                chance=run_task(folder).chance(self.data),
                callbacks=self.callbacks,
                processes=self.processes,
            )
            state = loop.run()
            test, count = loop.measure(part("test"))  # the one time that the test part is looked at
            bad = self.processes.of_all(unreadable(self.data.train, self.data.val, self.data.test))
            if self.processes.first:
                folder.skip([*{file["path"]: file for file in chain.from_iterable(bad)}.values()])
                if isinstance(self.task, IllustratedTask):
                    self.task.illustrate(folder.path)
                save_model(folder.path / layout.WEIGHTS, network, about["data"])
                loop.tell(
                    "on_end", state.epochs_closed - 1, {f"test_{name}": value for name, value in test.items()}
                )
                if recipe.backoff is not None:
                    remove(folder.path / layout.GOOD)
                folder.complete(self._result(recipe, state, test, count, loop.stopped))
            self.processes.wait()
        return folder

    def _divided(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """How evaluation batches, and the decoding of training images, are divided among several processes."""
        processes = self.processes
        if processes.count == 1:
            return {}, {}
        decoded = isinstance(self.data.train, StreamingSplit)
        return {"turn": (processes.rank, processes.count)}, {"others": processes} if decoded else {}

    def _result(
        self,
        recipe: Recipe,
        state: State,
        test: Mapping[str, float | None],
        count: int,
        stopped: dict[str, Any] | None,  # what ended it before its end
    ) -> dict[str, Any]:
        primary = self.task.primary
        spec = self.folder.spec
        parameters, multiply_adds = totals(spec, spec.input_shape(self.data.shape))
        line = state.last_epoch
        if recipe.patience is not None and state.best_epoch is not None:  # of the weights that are kept
            line = next(x for x in self.folder.metrics("epoch") if x["epoch"] == state.best_epoch)
        figures = {k: v for k, v in line.items() if k.startswith(("train_", "val_"))}
        if self.data.val is None:
            figures |= {f"val_{name}": None for name in test}
        return {
            "schema": 1,
            "run_dir": str(self.folder.path),
            "model": spec.name,
            "recipe": recipe.name,
            "data": self.data.kind,
            "seed": self.folder.seed,
            "parameters": parameters,
            "multiply_adds": multiply_adds,
            "epochs": state.epochs_closed,
            "steps": state.step,
            "seconds": round(state.seconds, 3),
            "primary": primary.name,
            "direction": primary.direction,
            **figures,
            f"best_val_{primary.name}": state.best,
            "best_epoch": state.best_epoch,
            "backoffs": state.backoffs,
            **{f"test_{name}": value for name, value in test.items()},
            "test_images": count,
            "train_images": len(self.data.train),
            **({} if stopped is None else {"stopped": stopped}),
            # what the figures of "val" and "test" and the final weights are
            **({} if recipe.averaging is None else {"averaging": recipe.averaging.to_dict()}),
        }
