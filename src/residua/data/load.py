"""From a source (``digits``, a path, ``kind:path``) to ``Data``; what lies at a path tells its kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from residua.data.loaded import Data
from residua.data.named_paths import remember
from residua.data.sources.cifar_files import find_cifar, load_cifar
from residua.data.sources.clips import load_clips
from residua.data.sources.digits import load_digits
from residua.data.sources.image_folder import load_folder
from residua.data.sources.scenes import load_scenes
from residua.data.sources.text_files import load_text
from residua.data.sources.volumes import load_volumes
from residua.errors import UsageError, nearest
from residua.spec import DataSpec

# what is made of the shipped digits, or of what every Python has: the name alone is a source
SHIPPED: dict[str, Callable[[DataSpec, str], Any]] = {
    "digits": load_digits,
    "moving-digits": load_clips,
    "scenes": load_scenes,
    "text": load_text,
}
KINDS = (*SHIPPED, "cifar10", "cifar100", "folder", "volumes")


def load_data(spec: DataSpec | str = "digits", *, workers: int = 0, storage: str | None = None) -> Data:
    """The images that a spec describes, split into training, validation and test parts.

    ``workers`` is the number of threads that decode a folder of images (0: one for each core that this process may
    use); what is read never depends on it. ``storage`` (``memory`` or ``stream``) repeats what an earlier loading
    decided, as ``Data.identity["storage"]`` holds it; None decides by the available memory.

    Raises UsageError for a source that is neither a kind nor a path, or holds nothing of its kind, or several kinds;
    ResiduaError for files that are damaged.
    """
    spec = DataSpec(source=spec) if isinstance(spec, str) else spec
    if workers < 0 or storage not in (None, "memory", "stream"):
        raise UsageError(
            f"workers are 0 or more and storage is 'memory' or 'stream', not {workers} and {storage!r}"
        )
    data = _load(spec, workers, storage)
    if data.identity.get("path"):
        remember(data.identity["path"])
    if spec.validate_on == "val":
        return data
    if not isinstance(data, Data):
        raise UsageError(f"validate_on 'test' is for images with classes, not for {spec.source}")
    told = {**data.identity["splits"], "val": "the test images, for curves alone"}
    return dataclasses.replace(data, val=data.test, identity={**data.identity, "splits": told})


def _load(spec: DataSpec, workers: int, storage: str | None) -> Any:
    kind, rest = split_source(spec.source)
    if kind in SHIPPED:
        return SHIPPED[kind](spec, rest)
    path = Path(rest).expanduser()
    if not rest or not path.exists():
        raise UsageError(
            f"no such file or folder: {rest or spec.source!r}; a source is 'digits', a path, or kind:path"
        )
    kind = kind or sniff(path)
    if kind in ("folder", "volumes"):
        if not path.is_dir():
            raise UsageError(
                f"{path} is a file; a folder of {'images' if kind == 'folder' else kind} was expected"
            )
        if kind == "volumes":
            return load_volumes(spec, path, threads=workers)
        return load_folder(spec, path, threads=workers, storage=storage)
    return load_cifar(spec, kind, path)


def split_source(source: str) -> tuple[str | None, str]:
    """``kind`` and the rest of ``kind:rest``; a kind of ``SHIPPED`` may stand alone, all else without a kind is a path.

    Raises UsageError for an unknown kind before a colon, unless a file of that whole name exists.
    """
    kind, colon, rest = source.partition(":")
    if kind in KINDS and (colon or kind in SHIPPED):
        return kind, rest
    known_path = len(kind) == 1 or "/" in kind or "\\" in kind or Path(source).exists()  # C:\images is a path
    if colon and not known_path:
        raise UsageError(f"unknown kind of data {kind!r} in {source!r}{nearest(kind, KINDS)}")
    return None, source


def sniff(path: Path) -> str:
    """The kind of data at an existing path. Raises UsageError if it holds several kinds, or a file of none."""
    kinds = sorted({layout.kind for layout, _ in find_cifar(path)})
    if len(kinds) > 1:
        raise UsageError(f"{path} holds {' and '.join(kinds)}: say which, as in {kinds[0]}:{path}")
    if kinds:
        return kinds[0]
    if path.is_dir():
        return "folder"
    raise UsageError(
        f"{path} is neither a folder nor an official CIFAR archive; cifar10:{path} forces the kind"
    )
