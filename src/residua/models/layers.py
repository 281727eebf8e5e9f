"""What the specs of all Transformers state. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from residua.errors import UsageError
from residua.models.merges.sums import AddMerge
from residua.models.slots import DropPathSpec, MergeSpec, Place
from residua.spec import ModelSpec, fraction, positive

if TYPE_CHECKING:
    from residua.nn import Merge


@dataclass(frozen=True, kw_only=True)
class LayersSpec(ModelSpec):
    """Layers of two residual units each: attention, and a position-wise network of ``mlp_ratio`` times the width."""

    repeats: ClassVar[str] = "layers"

    layers: int = 12
    width: int = 768
    heads: int = 12
    mlp_ratio: int = 4
    norm: Literal["pre", "post"] = "pre"
    merge: MergeSpec = AddMerge()  # branch_only: the residuals are removed
    dropout: float = 0.0
    drop_path: DropPathSpec = DropPathSpec()

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "layers", "width", "heads", "mlp_ratio")
        if self.width % self.heads:
            raise UsageError(f"{self.heads} heads do not divide a width of {self.width}")
        fraction(self, "dropout")
        if self.merge.of_maps:
            raise UsageError(f"merge {self.merge.kind!r} is of maps: a Transformer has none")
        if self.drop_path.rate and self.merge.plain:
            raise UsageError("a plain network has no shortcut to fall back on: drop_path needs merge='add'")

    def merge_at(self, index: int) -> Merge:
        """The merge of the unit ``index``, two of which are a layer."""
        return self.merge.build(Place(self.width, self.width, self.width, index=index, axis=-1), self.width)
