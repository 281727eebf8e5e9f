"""``volumes:path``: a folder of ``.npy`` arrays, ``<class>/*.npy`` or ``train/``, ``val/`` and ``test/`` with classes.

A set may be larger than the memory. Arrays of uint8 stay so and are scaled to [0, 1]; all others are taken as the
numbers they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from residua.errors import UsageError
from residua.parts import register
from residua.spec import DataSource, DataSpec


@register
@dataclass(frozen=True, kw_only=True)
class Volumes(DataSource):
    """Volumes in a folder for each class."""

    kind: ClassVar[str] = "volumes"
    path: str

    def load(self, spec: DataSpec, *, threads: int = 0, storage: str | None = None) -> Any:  # noqa: D102
        from residua.data.volume_files import volume_data

        path = Path(self.path).expanduser()
        if spec.image_size is not None:
            raise UsageError(
                f"volumes keep their size; image_size {spec.image_size} is for folders of images"
            )
        if not path.is_dir():
            raise UsageError(f"{path} is a file; a folder of volumes was expected")
        return volume_data(spec, path, threads)
