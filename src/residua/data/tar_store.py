"""The images of tar shards, by position: a ``residua.data.decoding.Store``. Indexes are made once and kept.

Of a shard here the bytes of one image are read at a time; of one behind a network a run of some megabytes, of which a
few are held. Either way an epoch goes through the runs in a random order and shuffles those of a window together, so
that what a disk or a network reads lies side by side.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Lock

import numpy as np

from residua.data.decoding import Blocks
from residua.data.image import BadImage
from residua.data.places import Place
from residua.data.tar_index import INDEX, NO_CRC, ShardIndex, read_index
from residua.errors import ResiduaError
from residua.files import make_folder, write_text

RUN = 8 << 20  # bytes of neighbouring images that are read together from afar, and shuffled as one
HELD = 256 << 20  # bytes of runs from afar that are kept: those of a window that is shuffled, and of the next
_NAME = re.compile(r"(.+?\.tar)/(\d+)/", re.DOTALL)


def image_called(shard: str, row: int, member: str) -> str:
    """How an image is called: ``SHARD/ROW/MEMBER``."""
    return f"{shard}/{row:06}/{member}"


class TarImages:
    """The images of the shards of a place, called by ``image_called``."""

    def __init__(self, place: Place, indexes: Mapping[str, ShardIndex]) -> None:
        self._place, self.indexes = place, indexes
        self._held: OrderedDict[tuple[str, int], Future[tuple[int, bytes]]] = OrderedDict()
        self._lock = Lock()

    def contents(self, name: str) -> bytes:
        """The bytes of an image. Raises BadImage, ResiduaError if its shard is no longer what it was."""
        shard, row = _placed(name)
        index = self.indexes[shard]
        offset, size = int(index.offsets[row]), int(index.sizes[row])
        if self._place.far:
            start, run = self._run(shard, offset // RUN)
            found = run[offset - start : offset - start + size]
        else:
            found = self._place.read(shard, offset, size, index.size)
        if index.checks[row] not in (NO_CRC, zlib.crc32(found)):
            raise BadImage(name, "its bytes are not those that were written")
        return found

    def blocks(self, names: Sequence[str]) -> Blocks:
        """Runs of neighbouring images."""
        runs: dict[tuple[str, int], list[int]] = {}
        sizes: dict[tuple[str, int], int] = {}
        for position, name in enumerate(names):
            shard, row = _placed(name)
            index = self.indexes[shard]
            run = (shard, int(index.offsets[row]) // RUN)
            runs.setdefault(run, []).append(position)
            sizes[run] = sizes.get(run, 0) + int(index.sizes[row])
        return Blocks([np.array(positions) for positions in runs.values()], list(sizes.values()))

    def _run(self, shard: str, number: int) -> tuple[int, bytes]:
        """Where the run of a shard begins, and its bytes; one thread reads them, others wait for it."""
        with self._lock:
            waiting = self._held.get((shard, number))
            mine = waiting is None
            if waiting is None:
                waiting = self._held[shard, number] = Future()
                while len(self._held) > HELD // RUN:
                    self._held.popitem(last=False)
            self._held.move_to_end((shard, number))
        if mine:
            try:
                waiting.set_result(self._read_run(shard, number))
            except BaseException as error:
                with self._lock:
                    self._held.pop((shard, number), None)  # the next one tries again
                waiting.set_exception(error)
        return waiting.result()

    def _read_run(self, shard: str, number: int) -> tuple[int, bytes]:
        index = self.indexes[shard]
        first, last = np.searchsorted(index.offsets, [number * RUN, (number + 1) * RUN]).tolist()
        start, end = int(index.offsets[first]), int(index.offsets[last - 1] + index.sizes[last - 1])
        return start, self._place.read(shard, start, end - start, index.size)


def index_of(place: Place, shard: str, label: str | None) -> ShardIndex:
    """The index of a shard: the one that ``residua data prepare`` left beside it, one kept earlier, or a new one."""
    size, stamp = place.stat(shard)
    if label is None and (beside := _beside(place, shard)) is not None and beside.size == size:
        return beside
    kept = _cache() / f"{hashlib.sha256(place.full(shard).encode(errors='surrogateescape')).hexdigest()}.json"
    try:
        index = ShardIndex.from_json(json.loads(kept.read_bytes()))
        if (index.size, index.stamp, index.label) == (size, stamp, label):
            return index
    except (OSError, ValueError, RecursionError):  # none, or damaged
        pass
    with place.opened(shard) as file:
        index = read_index(file, size, stamp=stamp, label=label)
    try:
        make_folder(kept.parent)
        write_text(kept, json.dumps(index.to_json()))
    except (OSError, ResiduaError):  # nothing can be kept here: it is made again the next time
        pass
    return index


def _beside(place: Place, shard: str) -> ShardIndex | None:
    """The index beside a prepared shard. What is damaged counts for none."""
    name = f"{INDEX}/{shard.removesuffix('.tar')}.json"
    try:
        size, _ = place.stat(name)
        return ShardIndex.from_json(json.loads(place.read(name, 0, size, size)))
    except (ResiduaError, ValueError, RecursionError):
        return None


def _placed(name: str) -> tuple[str, int]:
    found = _NAME.match(name)
    assert found is not None, name
    return found[1], int(found[2])


def _cache() -> Path:
    given = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(given) if given else Path.home() / ".cache") / "residua" / "shards"
