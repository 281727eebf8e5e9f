"""What the specs of all Transformers state. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from residua.errors import UsageError
from residua.spec import ModelSpec, positive


@dataclass(frozen=True, kw_only=True)
class LayersSpec(ModelSpec):
    """Layers of two residual units each: attention, and a position-wise network of ``mlp_ratio`` times the width."""

    repeats: ClassVar[str] = "layers"

    layers: int = 12
    width: int = 768
    heads: int = 12
    mlp_ratio: int = 4
    norm: Literal["pre", "post"] = "pre"
    merge: Literal["add", "branch_only"] = "add"  # branch_only: the residuals are removed
    dropout: float = 0.0
    drop_path: float = 0.0
    drop_path_rule: Literal["linear", "uniform"] = "linear"
    drop_path_mode: Literal["sample", "batch"] = "sample"

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "layers", "width", "heads", "mlp_ratio")
        if self.width % self.heads:
            raise UsageError(f"{self.heads} heads do not divide a width of {self.width}")
        for name in ("dropout", "drop_path"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} must be in [0, 1), not {getattr(self, name)}")
        if self.drop_path and self.merge == "branch_only":
            raise UsageError("a plain network has no shortcut to fall back on: drop_path needs merge='add'")
