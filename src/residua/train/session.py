"""One sitting of a training: from where it stands to its end, the test images, and the files that complete a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from residua.analysis.cost import totals
from residua.data import Source
from residua.files import write_json
from residua.runs.checkpoint import State
from residua.runs.folder import RunFolder
from residua.runs.plan import Plan
from residua.spec import Recipe
from residua.train.loop import Loop
from residua.train.plan import applied
from residua.train.progress import Progress
from residua.train.task import IllustratedTask, Task
from residua.train.track import tracked
from residua.weights.model_files import save_model

EVAL_BATCH = 256


def eval_batch(recipe: Recipe) -> int:
    """Samples in a batch of an evaluation; the figures of some tasks follow it in their last digits."""
    return min(EVAL_BATCH, 4 * recipe.batch_size)


@dataclass(kw_only=True)
class Session:
    """Everything that a training needs, made by ``fit`` or put together again by ``resume``."""

    folder: RunFolder
    task: Task
    data: Source
    recipe: Recipe
    plan: Plan
    seed: int
    limit: int | None  # batches of an epoch and of an evaluation
    about: dict[str, Any]
    state: State
    progress: Progress

    def run(self) -> RunFolder:
        """Train to the end, measure the test part once, and write what makes the run complete.

        The caller holds the folder (``run.writing``).
        """
        path = self.folder.path
        with applied(self.plan), tracked(path, self.progress) as progress:
            loop = Loop(
                self.task,
                self.data.train_batches(
                    self.recipe,
                    seed=self.seed,
                    device=self.plan.device,
                    memory_format=self.plan.memory_format,
                    limit=self.limit,
                ),
                (lambda: self._part("val")) if self.data.val is not None else None,
                recipe=self.recipe,
                seed=self.seed,
                folder=path,
                about=self.about,
                state=self.state,
                progress=progress,
            )
            state = loop.run()
            test, count = loop.measure(self._part("test"))  # the one time that the test part is looked at
            if isinstance(self.task, IllustratedTask):
                self.task.illustrate(path)
            save_model(path / "model.safetensors", self.task.networks["model"], self.about["data"])
            write_json(path / "result.json", self._result(state, test, count))
        return RunFolder(path)

    def _part(self, split: str) -> Any:
        return self.data.eval_batches(
            split,
            eval_batch(self.recipe),
            device=self.plan.device,
            memory_format=self.plan.memory_format,
            limit=self.limit,
        )

    def _result(self, state: State, test: Mapping[str, float | None], count: int) -> dict[str, Any]:
        primary = self.task.primary
        parameters, multiply_adds = totals(self.folder.spec, self.folder.spec.input_shape(self.data.shape))
        figures = {k: v for k, v in state.last_epoch.items() if k.startswith(("train_", "val_"))}
        if self.data.val is None:
            figures |= {f"val_{name}": None for name in test}
        return {
            "schema": 1,
            "run_dir": str(self.folder.path),
            "model": self.folder.spec.name,
            "recipe": self.recipe.name,
            "data": self.data.kind,
            "seed": self.seed,
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
            **{f"test_{name}": value for name, value in test.items()},
            "test_images": count,
            "train_images": len(self.data.train),
        }
