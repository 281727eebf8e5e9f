"""A path alone: what lies there tells the kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from residua.errors import UsageError
from residua.parts import parts, register
from residua.spec import DataSource, DataSpec


@register
@dataclass(frozen=True, kw_only=True)
class AnyPath(DataSource):
    """Whatever lies at a path. A folder that no other kind recognises is one of images."""

    kind: ClassVar[str] = "path"
    remote: ClassVar[bool] = True
    path: str

    def resolved(self) -> DataSource:
        """The source of the one kind that recognises the path. Raises UsageError for none, and for several."""
        if self.url is not None:  # tar shards alone are read from one
            return DataSource.read({"kind": "tar", "path": self.path}, "the source")
        super().resolved()  # there is something
        path = Path(self.path).expanduser()
        kinds = sorted(kind for kind, part in parts(self.slot).items() if part.recognises(path))
        if not kinds and path.is_dir():
            kinds = ["folder"]
        if len(kinds) > 1:
            raise UsageError(f"{path} holds {' and '.join(kinds)}: say which, as in {kinds[0]}:{path}")
        if not kinds:
            raise UsageError(
                f"{path} is neither a folder nor a file of a known kind; cifar10:{path} forces a kind"
            )
        return DataSource.read({"kind": kinds[0], "path": self.path}, "the source")

    def load(self, spec: DataSpec, *, threads: int, storage: str | None) -> Any:  # noqa: D102
        return self.resolved().load(spec, threads=threads, storage=storage)

    def __str__(self) -> str:
        return self.path
