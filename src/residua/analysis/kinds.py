"""The kinds of analysis, as data: names and what each answers, without importing any of them (or torch)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from residua.errors import UsageError, nearest

if TYPE_CHECKING:
    from residua.analysis.finding import Finding


@dataclass(frozen=True, kw_only=True)
class Kind:
    """``function`` is ``module:function`` below ``residua.analysis``: ``f(model, images, labels, **options)``."""

    function: str
    about: str
    trained: bool = False  # of a freshly initialised network the answer means little
    double: bool = False  # network and images in float64
    single: bool = False  # one image file will do, whose class nobody knows
    images: int = 64  # shown unless the user says how many

    def load(self) -> Callable[..., Finding]:
        """The function."""
        module, name = self.function.split(":")
        return getattr(importlib.import_module(f"residua.analysis.{module}"), name)


KINDS = {
    "response": Kind(
        function="response:response_finding",
        about="how much each 3x3 layer changes the signal (He et al. 2015, Figure 7)",
        trained=True,
        images=256,
    ),
    "gradients": Kind(
        function="profile:gradients_finding",
        about="how much gradient reaches each unit, with and without norms and shortcuts",
        double=True,
    ),
    "training": Kind(
        function="profile:training_gradients_finding",
        about="how much gradient reaches each unit as a run begins, at its best epoch and at its end",
        trained=True,
    ),
    "variance": Kind(
        function="variance:variance_finding",
        about="the variance of signal and gradient by depth, initialised after He and after Xavier",
        double=True,
    ),
    "jacobian": Kind(
        function="jacobian:jacobian_finding",
        about="the gradient at each unit against the product of the units' Jacobians, and the naive product",
        double=True,
        images=8,
    ),
    "products": Kind(
        function="products:products_finding",
        about="0.9^99 and 1.1^99 beside what the gradients of real networks are multiplied by",
        double=True,
        images=32,
    ),
    "singular": Kind(
        function="singular:singular_finding",
        about="singular values of the product of I + J, branches at several scales, against (1 -+ e)^L",
        double=True,
        images=1,
    ),
    "unroll": Kind(
        function="unroll:unroll_finding",
        about="x_L = x_l + the sum of the branches between (He et al. 2016, eq. 4), and by how much it fails",
        double=True,
        images=32,
    ),
    "lesion": Kind(
        function="lesion_study:lesion_finding",
        about="delete one unit, delete several, swap them (Veit et al. 2016, sec. 4)",
        trained=True,
        images=128,
    ),
    "reuse": Kind(
        function="reuse:reuse_finding",
        about="how much a unit adds and how alike neighbours are (CKA); DenseNet's weights by source layer",
        trained=True,
    ),
    "paths": Kind(
        function="paths:paths_finding",
        about="how many paths of which length there are, and the gradient that they carry (Veit et al. 2016, sec. 5)",
        trained=True,
    ),
    "euler": Kind(
        function="euler:euler_finding",
        about="units as Euler steps of an ODE: error and accuracy as the steps are refined (Chen et al. 2018)",
        trained=True,
        images=32,
    ),
    "landscape": Kind(
        function="landscape:landscape_finding",
        about="the loss along filter-normalised random directions around the weights (Li et al. 2018)",
        trained=True,
        images=128,
    ),
    "explain": Kind(
        function="explain:explain_finding",
        about="which parts of an image speak for a prediction: Grad-CAM (Selvaraju et al. 2017)",
        trained=True,
        single=True,
        images=8,
    ),
}


def find_kind(name: str) -> Kind:
    """The kind called ``name``. Raises UsageError with the nearest names."""
    if name not in KINDS:
        raise UsageError(f"unknown kind of analysis {name!r}{nearest(name, KINDS)}")
    return KINDS[name]
