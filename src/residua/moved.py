"""Where the public names of version 0.1 went. For one version their old modules lead there, with a warning."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# old module -> where its names are now
MODULES = {
    "residua.analysis.euler": "residua.analysis.refinement",
    "residua.analysis.explain": "residua.analysis.grad_cam",
    "residua.analysis.jacobian": "residua.analysis.unit_jacobians",
    "residua.analysis.landscape": "residua.analysis.loss_grid",
    "residua.analysis.lesion": "residua.analysis.lesioning",
    "residua.analysis.paths": "residua.analysis.path_gradients",
    "residua.analysis.products": "residua.analysis.gains",
    "residua.analysis.response": "residua.analysis.layer_responses",
    "residua.analysis.reuse": "residua.analysis.feature_reuse",
    "residua.analysis.singular": "residua.analysis.spectrum",
    "residua.analysis.structure": "residua.analysis.ways",
    "residua.analysis.unroll": "residua.analysis.unrolled",
    "residua.analysis.variance": "residua.analysis.signal_variance",
    "residua.logs": "residua.runs.logs",
    "residua.models.weights": "residua.weights.model_files",
    "residua.models.tensor_files": "residua.weights.tensor_files",
    "residua.models.features": "residua.nn.features",
    "residua.models.fpn": "residua.nn.fpn",
    "residua.models.stages": "residua.models.staged",
    "residua.papers.experiment": "residua.experiments.experiment",
    "residua.papers.compare": "residua.compare",
    "residua.papers.verdict": "residua.experiments.rules",
    "residua.train.run": "residua.runs.folder",
    "residua.train.checkpoint": "residua.runs.checkpoint",
}
# names that are gone -> what does their work now
NAMES = {
    "residua.models.units": {
        "register_unit": "residua.parts.register, with a UnitSpec of your own (CONTRIBUTING.md)",
        "UnitKind": "residua.models.slots.UnitSpec",
        "unit_kind": 'residua.parts.find("unit", kind)',
        "unit_names": 'residua.parts.parts("unit")',
    },
    "residua.nn": {
        "make_shortcut": "residua.models.shortcuts",
        "make_stem": "residua.models.stems",
        "norm_act": "residua.nn.UnitOrder.layers",
    },
}


class _Finder(MetaPathFinder, Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self, is_package=True) if fullname in MODULES else None

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        new = importlib.import_module(MODULES[module.__name__])
        warnings.warn(
            f"{module.__name__} is {new.__name__} now; the old name goes with version 0.3",
            DeprecationWarning,
            stacklevel=2,
        )
        module.__getattr__ = lambda name: getattr(new, name)  # type: ignore[method-assign]  # PEP 562, of this module


def lead() -> None:
    """Make the old modules importable."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


def gone(module: str, name: str) -> Exception:
    """What is raised for a name that a module has no more (ImportError says where it went), or never had."""
    instead = NAMES[module].get(name)
    if instead is None:
        return AttributeError(f"module {module!r} has no attribute {name!r}")
    return ImportError(f"{module}.{name} was version 0.1's; now it is {instead}")
