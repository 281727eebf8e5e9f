"""A folder of images: ``<class>/*``, or ``train/``, ``val/`` and ``test/`` with class folders in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from residua.errors import UsageError
from residua.parts import register
from residua.spec import DataSource, DataSpec

if TYPE_CHECKING:
    from residua.data.listing import Listing


@register
@dataclass(frozen=True, kw_only=True)
class ImageFolder(DataSource):
    """Images in a folder for each class."""

    kind: ClassVar[str] = "folder"
    resizes: ClassVar[bool] = True
    path: str

    def load(self, spec: DataSpec, *, threads: int = 0, storage: str | None = None) -> Any:  # noqa: D102
        from residua.data.encoded import encoded_data

        return encoded_data(spec, *self.listed(spec), threads=threads, storage=storage)

    def listed(self, spec: DataSpec) -> tuple[Listing, ImageFiles]:  # noqa: D102
        from residua.data.listing import listed

        path = Path(self.path).expanduser()
        if not path.is_dir():
            raise UsageError(f"{path} is a file; a folder of images was expected")
        return listed(path), ImageFiles(path)


@dataclass(frozen=True)
class ImageFiles:
    """Images that are files, below ``root``: a ``residua.data.decoding.Store``."""

    root: Path

    def contents(self, name: str) -> Path:
        """The file of an image."""
        return self.root / name

    def blocks(self, names: Sequence[str]) -> None:
        """None: each is read alone."""
