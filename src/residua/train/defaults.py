"""What is trained when the user does not say: by the network's family, the kind of data, the size of its images."""

from __future__ import annotations

from residua.data import AnyData
from residua.registry import family, model_spec
from residua.spec import ModelSpec

_LARGE = 96  # pixels from which on an ImageNet stem suits
# kinds of data whose model does not follow from the size of the images
_MODELS = {"digits": "cifar_resnet8", "moving-digits": "r3d_tiny", "text": "transformer_small"}

_RECIPES = {"digits": "digits", "moving-digits": "clips"}


def default_source(model: str | ModelSpec | None) -> str:
    """The data that a model's family is trained on; digits without a model. Raises UsageError for unknown names."""
    return "digits" if model is None else family(model_spec(model).family).source


def default_model(data: AnyData) -> str:
    """A model name that suits the data."""
    if data.kind in _MODELS:
        return _MODELS[data.kind]
    if len(data.shape) == 4:  # volumes
        return "r3d_small" if max(data.shape[1:]) < _LARGE else "r3d_18"
    return "cifar_resnet20" if max(data.shape[1:]) < _LARGE else "resnet18"


def default_recipe(data: AnyData, model: ModelSpec, *, trained: bool = False) -> str:
    """The recipe of the model's family, or else a name that suits the data; of a ``trained`` classifier its own."""
    if trained and family(model.family).task == "classification":
        return "finetune"
    return family(model.family).recipe or _RECIPES.get(data.kind, "quick")
