"""Where the data of a run come from, and how they are split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from residua.errors import UsageError
from residua.spec.base import SCHEMA, Spec, positive


@dataclass(frozen=True, kw_only=True)
class DataSpec(Spec):
    """Where images come from and how they are split; ``source`` is ``digits``, a path, or ``kind:path``."""

    table: ClassVar[str] = "data"

    schema: int = SCHEMA
    source: str = "digits"
    image_size: int | None = None  # pixels, square; None: decided from the files and stated in data.json
    context: int = 128  # bytes in a window of text
    val_fraction: float = 0.1  # of the training images; 0 trains on all of them
    # test: each epoch is measured on the test images, as the papers' curves are; nothing may be chosen by them
    validate_on: Literal["val", "test"] = "val"
    test_fraction: float = 0.2  # of a folder that has no test part of its own
    split_seed: int = 0  # splits do not follow the training seed: all seeds see the same images
    strict: bool = False  # refuse the first bad file instead of skipping and listing it

    def validate(self) -> None:  # noqa: D102
        for name in ("val_fraction", "test_fraction"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"DataSpec.{name} must be in [0, 1), not {getattr(self, name)}")
        if self.validate_on == "test" and self.val_fraction:
            raise UsageError(
                "DataSpec.validate_on 'test' holds no training images out: val_fraction must be 0"
            )
        positive(self, "context", *([] if self.image_size is None else ["image_size"]))
