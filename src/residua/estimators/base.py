"""What both estimators share: parameters, a training by ``residua.fit``, and the outputs of the trained network."""

from __future__ import annotations

import copy
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, check_X_y, validate_data

from residua.data.batches.normalize import normalize
from residua.errors import UsageError
from residua.estimators.samples import Kind, check_range, images_of, kind_of, read_paths
from residua.spec import ModelSpec, Recipe
from residua.train import Interrupted, fit
from residua.train.plan import choose_device
from residua.train.recipes import recipe as find_recipe
from residua.weights.model_files import build_model, read_weights

BATCH, MIN_EPOCHS, MIN_STEPS = 64, 20, 200  # of a training on a table where nothing is said
MANY_ROWS = 5_000  # from which on a table gets the wider network
_CHUNK = 1024  # samples that are predicted at a time


class ResidualEstimator(BaseEstimator):
    """Base of the estimators.

    X is a table (N, columns) of finite numbers; images, uint8 (N, H, W), (N, H, W, C) or (N, C, H, W); or paths: a
    list, an array, a column of strings. By default a table is learned by a residual MLP, standardised column by column
    by its training rows; images by a small ResNet.

    Args:
        model: the name or spec of a network; None: one that suits the size of the images; of a table ``residual_mlp``,
            below 5,000 rows ``residual_mlp_small``.
        epochs: passes over the training samples; None: of tables at least 20, and as many as make 200 steps; of images
            what suits their number.
        batch_size: samples a step, at least 2; None: of tables 64, of images what suits their number.
        learning_rate: the highest one; None: the recipe's.
        recipe: the name of a recipe, or one; None: ``table``, or one that suits the images.
        early_stopping: hold samples out, stop after ``n_iter_no_change`` epochs that were not better on them (in
            accuracy, or RMSE), and keep the weights of the best epoch.
        validation_fraction: of the samples, held out if ``early_stopping`` is set.
        n_iter_no_change: see ``early_stopping``.
        image_size: the side in pixels that image files are cropped and resized to. Arrays keep theirs.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        random_state: decides initialisation, order, dropout and which samples are held out.
        run_dir: keep the run folder here, for ``residua report``; one that stands here is replaced.
        verbose: show the progress on stderr.

    """

    def __init__(
        self,
        model: str | ModelSpec | None = None,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        recipe: str | Recipe | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        image_size: int = 64,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        run_dir: str | Path | None = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.recipe = recipe
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.image_size = image_size
        self.device = device
        self.random_state = random_state
        self.run_dir = run_dir
        self.verbose = verbose

    def _checked(self, x: Any, y: Any, **check: Any) -> tuple[np.ndarray, np.ndarray]:
        """Samples to learn from, rows float64 (N, columns) or images uint8 (N, H, W, C), and their answers (N, ...)."""
        self.kind_: Kind = kind_of(x)
        if self.kind_ == "rows":
            checked: Any = validate_data(self, x, y, dtype=np.float64, **check)  # as many types as options
            check_range(checked[0])
            return checked
        images = images_of(x) if self.kind_ == "images" else read_paths(x, self.image_size)
        return images, check_X_y(np.zeros((len(images), 1)), y, estimator=self, **check)[1]

    def _samples(self, x: Any) -> np.ndarray:
        """Samples to predict, which must be like those that were learned from."""
        kind, shape = kind_of(x), tuple(self.about_["shape"])
        if (kind == "rows") != (len(shape) == 1):
            raise UsageError(f"this {type(self).__name__} was trained on {self.kind_}, X holds {kind}")
        if kind == "rows":
            rows: Any = validate_data(self, x, reset=False, dtype=np.float64)
            check_range(rows)
            return rows
        images = images_of(x) if kind == "images" else read_paths(x, shape[-1])
        if (found := (images.shape[3], *images.shape[1:3])) != shape:
            raise UsageError(f"X holds images (C, H, W) of {found}, the network takes {shape}")
        return images

    def _held_out(self) -> dict[str, Any]:
        """How samples are divided; which ones follows from ``random_state``."""
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        share = self.validation_fraction if self.early_stopping else 0.0
        return {"val_fraction": share, "split_seed": self._seed}

    def _train(self, data: Any) -> None:
        """Train on ``AnyData`` and keep what the fitted estimator needs."""
        if len(data.train) < 2 or self.batch_size == 1:
            raise UsageError(
                f"a network is trained on batches of at least 2 samples: n_samples={len(data.train)} to train on, "
                f"batch_size={self.batch_size}"
            )
        model, recipe = (self.model, self.recipe) if len(data.shape) > 1 else self._of_table(len(data.train))
        cuda = [torch.cuda.current_device()] if choose_device(self.device) != "cpu" else []
        with _folder(self.run_dir) as folder, torch.random.fork_rng(devices=cuda):
            run = fit(
                model,
                data,
                recipe,
                recipe_changes=self._said(),
                seed=self._seed,
                run_dir=folder,
                overwrite=self.run_dir is not None,
                device=self.device,
                progress=self.verbose,
                track=None if self.run_dir is not None else "none",
            )
            self.network_ = build_model(read_weights(run.weights)).eval()
            self.history_ = run.metrics("epoch")
        self.n_iter_ = len(self.history_)
        self.about_ = data.about()

    def _of_table(self, rows: int) -> tuple[str | ModelSpec, str | Recipe]:
        """The network and the recipe for so many rows."""
        model = self.model or ("residual_mlp" if rows >= MANY_ROWS else "residual_mlp_small")
        if self.recipe is not None:
            return model, self.recipe
        batch = self.batch_size or min(BATCH, rows)
        steps = max(rows // batch, 1)
        return model, find_recipe(
            "table", batch_size=batch, epochs=max(MIN_EPOCHS, math.ceil(MIN_STEPS / steps))
        )

    def _said(self) -> dict[str, Any]:
        """What the parameters say of the recipe."""
        said = {"epochs": self.epochs, "batch_size": self.batch_size, "lr": self.learning_rate}
        patience = {"patience": self.n_iter_no_change} if self.early_stopping else {}
        return {name: value for name, value in said.items() if value is not None} | patience

    def _outputs(self, x: Any) -> np.ndarray:
        """The network's outputs float64 (N, K). Rows are computed in float64: no answer depends on its batch."""
        check_is_fitted(self, "network_")
        samples = self._samples(x)
        exact = torch.float64 if samples.ndim == 2 else torch.float32
        device = choose_device(self.device)
        network = copy.deepcopy(self.network_).to(device, exact)
        found = []
        with torch.no_grad():
            for start in range(0, len(samples), _CHUNK):
                chunk = torch.from_numpy(samples[start : start + _CHUNK]).movedim(-1, 1).to(device)
                shown = normalize(chunk, self.about_["mean"], self.about_["std"], dtype=exact)
                found.append(network(shown).double().cpu().numpy())
        return np.concatenate(found)


@contextmanager
def _folder(run_dir: str | Path | None) -> Iterator[Path]:
    """Where a training keeps its files: at ``run_dir``, or only as long as it takes."""
    if run_dir is not None:
        yield Path(run_dir)
        return
    with tempfile.TemporaryDirectory(prefix="residua-", ignore_cleanup_errors=True) as folder:
        try:
            yield Path(folder) / "run"
        except Interrupted as stop:  # there will be nothing to go on with
            raise KeyboardInterrupt from stop
