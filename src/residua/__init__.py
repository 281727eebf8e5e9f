"""residua: the residual-learning workbench. The public API is imported when it is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from residua.moved import lead

__version__ = "0.1.0"

_PUBLIC = {
    "create_model": "residua.loading",
    "list_models": "residua.registry",
    "describe": "residua.description",
    "fit": "residua.train",
    "load_model": "residua.loading",
    "load_run": "residua.loading",
    "save_model": "residua.weights.model_files",
    "evaluate": "residua.evaluation",
    "Predictor": "residua.deploy",
    "reproduce": "residua.experiments.reproduce",
    "residual_units": "residua.nn",
    "ResiduaError": "residua.errors",
    "UsageError": "residua.errors",
}

# what needs an extra beside residua: no star import asks for it
_WITH_EXTRA = {
    "ResidualClassifier": "residua.estimators",
    "ResidualRegressor": "residua.estimators",
}

lead()

if TYPE_CHECKING:
    from residua.deploy import Predictor
    from residua.description import describe
    from residua.errors import ResiduaError, UsageError
    from residua.estimators import ResidualClassifier as ResidualClassifier
    from residua.estimators import ResidualRegressor as ResidualRegressor
    from residua.evaluation import evaluate
    from residua.experiments.reproduce import reproduce
    from residua.loading import create_model, load_model, load_run
    from residua.nn import residual_units
    from residua.registry import list_models
    from residua.train import fit
    from residua.weights.model_files import save_model

__all__ = [
    "Predictor",
    "ResiduaError",
    "UsageError",
    "create_model",
    "describe",
    "evaluate",
    "fit",
    "list_models",
    "load_model",
    "load_run",
    "reproduce",
    "residual_units",
    "save_model",
]


def __getattr__(name: str) -> Any:
    home = _PUBLIC.get(name) or _WITH_EXTRA.get(name)
    if home is None:
        raise AttributeError(f"module 'residua' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value  # the next access is a plain attribute
    return value


def __dir__() -> list[str]:
    # what completion offers: not what this file imports
    return sorted(["__version__", *__all__, *_WITH_EXTRA])
