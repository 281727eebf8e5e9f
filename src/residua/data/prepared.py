"""Images made small once, into tar shards that train from then on: ``residua data prepare``.

Each shard is a fixed function of the source and the settings. It gets its name when it is whole and synced, and then
its index, with the SHA-256 of the shard and the CRC-32 of every image: so what is there can be trained on while the
rest is made, a killed preparation goes on where it stood, and damage is found and mended by the same command.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from residua.data.batches.keyed import generator
from residua.data.decoding import Store, say_skipped
from residua.data.division import file_digests
from residua.data.identity import digest
from residua.data.image import BadImage, Encoded, decode, image_name, open_image
from residua.data.listing import Listing, checked
from residua.data.parallel import in_parallel
from residua.data.tar_index import INDEX, MANIFEST, ShardIndex, read_index
from residua.errors import ResiduaError, UsageError
from residua.files import locked, make_folder, read_json, sweep, write_atomic, write_json
from residua.machine import usable_cores
from residua.spec import DataSource, DataSpec

MIN_SIZE = 8  # px
SUFFIXES = {
    "JPEG2000": "jp2",
    "TIFF": "tif",
    "JPEG": "jpg",
    "MPO": "jpg",
}  # of formats that are not called as their files are
Progress = Callable[[int, int], Any]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How images are made small."""

    size: int = 256  # px of the shorter side; a smaller image stays as it is, byte for byte
    quality: int = 95  # of the JPEG that a larger one becomes
    per_shard: int = 1000  # images, at most

    def check(self) -> None:
        """Raise UsageError for numbers that make no images."""
        if self.size < MIN_SIZE or not 1 <= self.quality <= 100 or self.per_shard < 1:
            raise UsageError(
                f"the size is {MIN_SIZE} px or more, the quality 1 to 100, and a shard has 1 image or more, not "
                f"{self.size}, {self.quality} and {self.per_shard}"
            )


@dataclass(frozen=True, kw_only=True)
class Shard:
    """What goes into a shard, in its order."""

    name: str
    images: list[str]  # names in the store
    classes: list[int]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What a preparation left."""

    path: Path
    images: int
    bytes: int
    shards: int
    made: int  # of the shards, this time; the others stood there whole
    left_out: dict[str, str]  # images that cannot be read, and why


def prepare(
    source: str | Path | DataSource | DataSpec,
    out: Path,
    *,
    settings: Settings | None = None,
    threads: int = 0,
    progress: Progress | None = None,
) -> Prepared:
    """Write the images of a source into tar shards in ``out``; what stands there whole is checked and kept.

    Images of each part are shuffled once, so that a shard has all classes. ``progress`` is told of the images done and
    of all. Raises UsageError for a source whose images are not encoded, and for an ``out`` that holds anything else;
    ResiduaError for a full disk (what is whole stays: the same command goes on); with ``strict``, BadImage.
    """
    settings, threads = settings or Settings(), threads or usable_cores()
    settings.check()
    spec = DataSpec.of(source)
    resolved = spec.source.resolved()
    listed = resolved.listed(spec)
    if listed is None:
        raise UsageError(f"{resolved.kind} data are ready to be trained on: there is nothing to prepare")
    listing, store = checked(listed[0]), listed[1]
    shards = list(_planned(listing, store, settings))
    about = {
        "schema": 1,
        "of": image_name(listing.root),
        **dataclasses.asdict(settings),
        "classes": list(listing.classes),
        "shards": [shard.name for shard in shards],
        "plan": _digest(listing, shards, threads),
    }
    _make_folder(out)
    with locked(out):
        _check_same(out, about)
        sweep(out / INDEX)  # the folder itself is swept when its manifest is written
        there = {shard.name: _whole(out, shard.name) for shard in shards}
        missing = [shard for shard in shards if there[shard.name] is None]
        done = len(listing.paths) - sum(len(shard.images) for shard in missing)
        if missing:
            write_json(out / MANIFEST, {**about, "complete": False})
        for shard in missing:
            there[shard.name] = _make(out, shard, listing, store, settings, threads, strict=spec.strict)
            done += len(shard.images)
            if progress is not None:
                progress(done, len(listing.paths))
        write_json(out / MANIFEST, {**about, "complete": True})
    found = [index for index in there.values() if index is not None]
    return Prepared(
        path=out,
        images=sum(len(index.names) for index in found),
        bytes=sum(index.size for index in found),
        shards=len(shards),
        made=len(missing),
        left_out=dict(listing.left_out)
        | {name: why for index in found for name, why in index.left_out.items()},
    )


def _planned(listing: Listing, store: Store, settings: Settings) -> Iterator[Shard]:
    places = {name: place for place, name in enumerate(listing.classes)}
    # the test part first: what is trained on while the rest is made is then tested on all of it
    for part, files in sorted(listing.parts.items(), key=lambda item: item[0] == "train"):
        random, blocks = generator(0, f"prepare {part}"), store.blocks(files.paths)
        order = random.permutation(len(files.paths)) if blocks is None else blocks.order(random)
        for number, chosen in enumerate(np.array_split(order, -(-len(order) // settings.per_shard))):
            yield Shard(
                name=f"{part}-{number:06}.tar",
                images=[files.paths[i] for i in chosen],
                classes=[places[files.classes[i]] for i in chosen],
            )


def _digest(listing: Listing, shards: list[Shard], threads: int) -> str:
    """What the shards are made of: names, sizes of files and labels, in their order."""
    lines = [json.dumps([shard.name, shard.images, shard.classes]).encode() for shard in shards]
    return digest([*lines, *file_digests(listing.root, listing.paths, threads, contents=False)])


def _make_folder(path: Path) -> None:
    try:
        make_folder(path)
    except OSError as error:
        raise ResiduaError(f"cannot write {path}: {error.strerror or error}") from error


def _check_same(out: Path, about: dict[str, Any]) -> None:
    """Raise UsageError unless the folder is empty, or of this very preparation."""
    there = sorted(path.name for path in out.iterdir() if path.name[0] != ".")
    if MANIFEST not in there:
        if there:
            raise UsageError(
                f"{out} holds {there[0]}, and is not a folder of prepared images: another --out keeps both"
            )
        return
    before = read_json(out / MANIFEST)
    told = [key for key in about if key != "of"]  # the source may have moved
    differing = [key for key in told if not isinstance(before, dict) or before.get(key) != about[key]]
    if differing:
        was = before.get(differing[0]) if isinstance(before, dict) else None
        shown = (
            f": {differing[0]} is {was} there, not {about[differing[0]]}"
            if isinstance(was, int | str)
            else ""
        )
        raise UsageError(
            f"{out} was prepared from other images or otherwise{shown}; another --out keeps both"
        )


def _whole(out: Path, name: str) -> ShardIndex | None:
    """The index of a shard that stands there as it was written; None if it is to be made."""
    try:
        held = json.loads((out / INDEX / f"{Path(name).stem}.json").read_bytes())
        index = ShardIndex.from_json(held)
        return index if _sha256(out / name) == held["sha256"] else None
    except (OSError, ValueError, KeyError, RecursionError):
        return None


def _make(
    out: Path, shard: Shard, listing: Listing, store: Store, settings: Settings, threads: int, *, strict: bool
) -> ShardIndex:
    """Write a shard, and then its index."""

    def small(name: str) -> tuple[bytes, str] | str:
        try:
            return _small(store.contents(name), settings)
        except BadImage as error:
            if strict:
                raise BadImage(image_name(listing.root / name), error.reason) from error
            return error.reason

    pictures = in_parallel(small, shard.images, threads)
    left_out = {
        name: found for name, found in zip(shard.images, pictures, strict=True) if isinstance(found, str)
    }
    say_skipped(left_out)
    checks: list[int] = []

    def write(path: Path) -> None:
        with (
            path.open("wb") as file,
            tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar,
        ):
            for row, (name, kind, found) in enumerate(
                zip(shard.images, shard.classes, pictures, strict=True)
            ):
                if isinstance(found, str):
                    continue
                content, suffix = found
                about = {"label": kind, "class": listing.classes[kind], "file": image_name(name)}
                checks.append(zlib.crc32(content))
                for ending, part in ((suffix, content), ("json", json.dumps(about).encode())):
                    member = tarfile.TarInfo(f"{row:06}.{ending}")
                    member.size = len(part)
                    tar.addfile(member, io.BytesIO(part))

    target = out / shard.name
    write_atomic(target, write)
    with target.open("rb") as file:
        index = read_index(file, target.stat().st_size)
    index = dataclasses.replace(index, checks=np.array(checks, np.int64), left_out=left_out)
    _make_folder(out / INDEX)
    write_json(out / INDEX / f"{target.stem}.json", {**index.to_json(), "sha256": _sha256(target)})
    return index


def _small(source: Encoded, settings: Settings) -> tuple[bytes, str]:
    """The bytes of an image whose shorter side has ``settings.size`` px at most, and their suffix. Raises BadImage."""
    with open_image(source) as image:
        form = image.format or "PNG"
        if min(image.size) <= settings.size and isinstance(source, bytes | Path):
            decode(image, "image", None)  # whether it can be read
            return source if isinstance(source, bytes) else source.read_bytes(), SUFFIXES.get(
                form, form.lower()
            )
        upright = decode(image, image_name(source) if isinstance(source, Path) else "image", settings.size)
    scale = settings.size / min(upright.size)
    size = (
        max(settings.size, round(upright.width * scale)),
        max(settings.size, round(upright.height * scale)),
    )
    file = io.BytesIO()
    upright.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0).save(
        file, "JPEG", quality=settings.quality
    )
    return file.getvalue(), "jpg"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
