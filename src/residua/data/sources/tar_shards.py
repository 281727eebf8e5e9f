"""``tar:path``: tar shards in WebDataset's layout, one file, a folder of them, or a URL that fsspec reads.

A sample is an image beside a ``.cls`` or a ``.json`` with its label. A word of a shard's name (``train``, ``val``,
``test``), or of its folder's, tells the part. Nothing is unpacked, and a set that does not fit into memory is read by
position: images in any order among those of a window of neighbouring runs, whatever the number of processes.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from residua.data.identity import digest
from residua.data.listing import PARTS, Listing, PartFiles, checked
from residua.data.parallel import in_parallel
from residua.data.places import Place, place_of
from residua.data.tar_index import INDEX, MANIFEST, Label, ShardIndex
from residua.errors import ResiduaError, UsageError
from residua.parts import register
from residua.spec import DataSource, DataSpec

if TYPE_CHECKING:
    from residua.data.tar_store import TarImages

SUFFIX = ".tar"
FAR = 8  # shards that are indexed at once, behind a network


@register
@dataclass(frozen=True, kw_only=True)
class TarShards(DataSource):
    """Images beside their labels; ``label`` names the field of a ``.json`` that holds them."""

    kind: ClassVar[str] = "tar"
    resizes: ClassVar[bool] = True
    remote: ClassVar[bool] = True
    path: str
    label: str | None = None

    @classmethod
    def recognises(cls, path: Path) -> bool:  # noqa: D102
        if path.is_file():
            return path.suffix == SUFFIX
        try:
            folders = [
                each
                for each in path.iterdir()
                if each.is_dir() and each.name[0] != "." and each.name != INDEX
            ]
            if any(each.name.lower() not in PARTS for each in folders):
                return False  # class folders, and a tar file that lies beside them
            return any(each.suffix == SUFFIX for folder in (path, *folders) for each in folder.iterdir())
        except OSError:
            return False

    def load(self, spec: DataSpec, *, threads: int = 0, storage: str | None = None) -> Any:
        """``Data`` of the shards. Raises UsageError without any, ResiduaError for what cannot be read."""
        from residua.data.encoded import encoded_data

        listing, images = self.listed(spec)
        files = [] if self.url else list(images.indexes)
        data = encoded_data(spec, listing, images, threads=threads, storage=storage, files=files)
        place = self.url or str(Path(self.path).expanduser().resolve())
        identity = {**data.identity, "path": place}
        identity["fingerprint"] = _fingerprint(
            images.indexes, identity["fingerprint"], far=self.url is not None
        )
        return dataclasses.replace(data, identity=identity)

    def listed(self, spec: DataSpec) -> tuple[Listing, TarImages]:  # noqa: D102
        from residua.data.tar_store import TarImages, index_of

        place = place_of(self.path)
        shards = place.files(SUFFIX)
        if not shards:
            raise UsageError(f"{self.path} holds no {SUFFIX} file")
        if wrong := [name for name in shards if not name.endswith(SUFFIX)]:
            raise UsageError(
                f"{wrong[0]} is no {SUFFIX} file; a compressed one is unpacked to one first (gunzip)"
            )
        found = in_parallel(lambda name: index_of(place, name, self.label), shards, FAR if place.far else 1)
        indexes = dict(zip(shards, found, strict=True))
        return _listing(place, indexes, strict=spec.strict), TarImages(place, indexes)


def _listing(place: Place, indexes: Mapping[str, ShardIndex], *, strict: bool) -> Listing:
    """Every image with a label, by parts. Raises ResiduaError for parts that are unclear, or damage if ``strict``."""
    from residua.data.decoding import log
    from residua.data.tar_store import image_called

    root, part_of = place.root, _parts(place.root, list(indexes))
    files: dict[str, tuple[list[str], list[Label]]] = {}
    left_out: dict[str, str] = {}
    for shard, index in indexes.items():
        left_out.update({f"{shard}/{name}": why for name, why in index.left_out.items()})
        if index.damage is not None:
            if strict:
                raise ResiduaError(f"{place.full(shard)}: {index.damage}")
            log.warning(
                "%s: %s; %d images before that are read", place.full(shard), index.damage, len(index.names)
            )
            left_out[shard] = f"{index.damage}; {len(index.names)} images before that are read"
        paths, labels = files.setdefault(part_of[shard], ([], []))
        paths += (image_called(shard, row, name) for row, name in enumerate(index.names))
        labels += index.labels
    names = _names(place)
    seen = {label for labels in ([files["train"][1]] if "train" in files else []) for label in labels}
    order = sorted(seen, key=lambda label: (isinstance(label, str), label))
    called = {label: _called(label, names) for _, labels in files.values() for label in labels}
    parts = {
        part: PartFiles(
            f"*{part}*{SUFFIX}" if len(files) > 1 else "",
            tuple(paths),
            tuple(called[label] for label in labels),
        )
        for part, (paths, labels) in files.items()
        if paths
    }
    if len(order) < 2:
        raise ResiduaError(
            f"{root} has images of {len(order)} classes to train on; at least two are needed"
            + (f"; {next(iter(left_out))}: {next(iter(left_out.values()))}" if left_out else "")
        )
    classes = tuple(dict.fromkeys(called[label] for label in order))  # the number 1 and the text 1 are one
    return checked(Listing(root, parts, classes, left_out=left_out))


def _parts(root: Path, shards: list[str]) -> dict[str, str]:
    """The part of each shard: for training, if no name tells one. Raises ResiduaError if some names tell none."""
    told = {shard: _part(shard) for shard in shards}
    if set(told.values()) == {None}:
        return dict.fromkeys(shards, "train")
    unclear = [shard for shard, part in told.items() if part is None]
    if unclear or "train" not in told.values():
        raise ResiduaError(
            f"{root}: which part is {unclear[0]}? Others are called train, val or test"
            if unclear
            else f"{root} has no shards called train"
        )
    return {shard: str(part) for shard, part in told.items()}


def _part(shard: str) -> str | None:
    folder, _, file = shard.lower().rpartition("/")
    words = {PARTS[word] for word in re.split(r"[-_.]", file) if word in PARTS}
    return next(iter(words)) if len(words) == 1 else PARTS.get(folder)


def _called(label: Label, names: list[str] | None) -> str:
    return names[label] if names and isinstance(label, int) and 0 <= label < len(names) else str(label)


def _names(place: Place) -> list[str] | None:
    """The names of the classes 0, 1 ... that ``residua data prepare`` left beside the shards."""
    from residua.data.decoding import log

    try:
        size, _ = place.stat(MANIFEST)
        manifest = json.loads(place.read(MANIFEST, 0, size, size))
        names = manifest["classes"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError
    except ResiduaError:
        return None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ResiduaError(f"{place.full(MANIFEST)} is damaged: its classes are no list of texts") from None
    if not manifest.get("complete"):
        log.warning(
            "%s is still being prepared: the shards that are complete are read", place.full("").rstrip("/")
        )
    return names


def _fingerprint(
    indexes: Mapping[str, ShardIndex], of_files: Mapping[str, str], *, far: bool
) -> dict[str, str]:
    """A hash of where the images lie and how they are labelled, with that of the files if they lie here."""
    lines = (
        json.dumps([name, index.size, index.offsets.tolist(), index.sizes.tolist(), index.labels]).encode()
        for name, index in sorted(indexes.items())
    )
    of = "names and sizes of shards" if far else of_files["of"]
    return {
        "of": f"{of}, and places and labels of their images",
        "sha256": digest([b"" if far else of_files["sha256"].encode(), *lines]),
    }
