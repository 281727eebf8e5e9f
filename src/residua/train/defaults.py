"""What is trained when the user does not say: by the kind of data and the size of its images."""

from __future__ import annotations

from residua.data import Source

_LARGE = 96  # pixels from which on an ImageNet stem suits


def default_model(data: Source) -> str:
    """A model name that suits the images."""
    if data.kind == "digits":
        return "cifar_resnet8"
    return "cifar_resnet20" if max(data.shape[1:]) < _LARGE else "resnet18"


def default_recipe(data: Source) -> str:
    """A recipe name that suits the data."""
    return "digits" if data.kind == "digits" else "quick"
