"""What is settled for data known by name: what they are trained with is documented, and measured figures rest on it."""

from __future__ import annotations

from residua.registry import family, model_spec
from residua.spec import ModelSpec

LARGE = 96  # pixels from which on an ImageNet stem suits
# kinds of data whose recipe is that of the model's family, or the one named here, as it stands
_RECIPES = {
    "digits": "digits",
    "digits-table": "table",
    "cifar10": "quick",
    "cifar100": "quick",
    "moving-digits": "clips",
    "scenes": "quick",
    "text": "quick",
}
# kinds of data whose model does not follow from the size of the images
_MODELS = {
    "digits": "cifar_resnet8",
    "digits-table": "residual_mlp_small",
    "moving-digits": "r3d_tiny",
    "text": "transformer_small",
}


def default_source(model: str | ModelSpec | None) -> str:
    """The data that a model's family is trained on; digits without a model. Raises UsageError for unknown names."""
    return "digits" if model is None else family(model_spec(model).family).source


def is_settled(kind: str) -> bool:
    """Whether a kind of data has documented defaults, which hold whatever the number of its samples."""
    return kind in _RECIPES


def usual_model(kind: str, shape: tuple[int, ...]) -> str:
    """A model name for samples of a kind and a shape (without the batch)."""
    if kind in _MODELS:
        return _MODELS[kind]
    if len(shape) == 1:  # rows of a table
        return "residual_mlp"
    small = max(shape[1:]) < LARGE
    if len(shape) == 4:  # volumes
        return "r3d_small" if small else "r3d_18"
    return "cifar_resnet20" if small else "resnet18"


def usual_recipe(kind: str, model: ModelSpec, *, trained: bool = False) -> str:
    """The recipe of the model's family, or else one for a kind of data; of a ``trained`` classifier its own."""
    if trained and family(model.family).task == "classification":
        return "finetune"
    return family(model.family).recipe or _RECIPES.get(kind, "quick")
