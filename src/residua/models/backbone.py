"""What the specs of dense predictors share: a registered classifier as their backbone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from residua.errors import UsageError
from residua.models.merges.sums import AddMerge
from residua.models.slots import DropPathSpec, MergeSpec
from residua.registry import family, model_spec
from residua.spec import ModelSpec, positive


@dataclass(frozen=True, kw_only=True)
class BackboneSpec(ModelSpec):
    """A network on top of a registered classifier of images, which is named; ``merge`` and drop path are its own."""

    backbone: str
    merge: MergeSpec = AddMerge()  # branch_only: the backbone without its shortcuts
    width: int = 256  # channels of what stands on the backbone
    drop_path: DropPathSpec = DropPathSpec()

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "width", "num_classes")
        below = self.backbone_spec
        if family(below.family).task != "classification" or len(below.usual_input) != 3:
            raise UsageError(f"a {self.family} stands on a classifier of images, not on {self.backbone!r}")

    def backbone_changes(self) -> dict[str, Any]:
        """What the backbone's spec differs in from the registered one."""
        own: dict[str, Any] = {"drop_path": self.drop_path, "merge": self.merge}
        # not every classifier knows more than its channels
        changed = {name: part for name, part in own.items() if part != self.default(name)}
        return {"in_channels": self.in_channels, **changed}

    @property
    def backbone_spec(self) -> Any:
        """The spec of the backbone. Raises UsageError for an unknown name and for changes that it does not know."""
        return model_spec(self.backbone, **self.backbone_changes())

    @property
    def usual_input(self) -> tuple[int, int, int]:
        """Shape (C, H, W): scenes are twice as large as the images of one object that its backbone was made for."""
        _, height, width = self.backbone_spec.usual_input
        return self.in_channels, 2 * height, 2 * width
