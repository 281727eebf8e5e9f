"""What the specs of dense predictors share: a registered classifier as their backbone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from residua.errors import UsageError
from residua.registry import model_spec
from residua.spec import ModelSpec, positive


@dataclass(frozen=True, kw_only=True)
class BackboneSpec(ModelSpec):
    """A network on top of a registered classifier, which is named; ``merge`` and drop path are the backbone's."""

    backbone: str
    merge: Literal["add", "branch_only"] = "add"  # branch_only: the backbone without its shortcuts
    width: int = 256  # channels of what stands on the backbone
    drop_path: float = 0.0
    drop_path_rule: Literal["linear", "uniform"] = "linear"
    drop_path_mode: Literal["sample", "batch"] = "sample"

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "width", "num_classes")
        if self.backbone_spec.family == self.family:
            raise UsageError(f"a {self.family} stands on a classifier, not on {self.backbone!r}")

    def backbone_changes(self) -> dict[str, Any]:
        """What the backbone's spec differs in from the registered one."""
        changes: dict[str, Any] = {
            "in_channels": self.in_channels,
            "drop_path": self.drop_path,
            "drop_path_rule": self.drop_path_rule,
            "drop_path_mode": self.drop_path_mode,
        }
        return changes | ({"merge": self.merge} if self.merge != "add" else {})

    @property
    def backbone_spec(self) -> Any:
        """The spec of the backbone. Raises UsageError for an unknown name and for changes that it does not know."""
        return model_spec(self.backbone, **self.backbone_changes())

    @property
    def usual_input(self) -> tuple[int, int, int]:
        """Shape (C, H, W): scenes are twice as large as the images of one object that its backbone was made for."""
        _, height, width = self.backbone_spec.usual_input
        return self.in_channels, 2 * height, 2 * width
