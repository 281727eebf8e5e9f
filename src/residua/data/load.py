"""From a source (``digits``, a path, ``kind:path``) to its data."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from residua.data.loaded import Data, NormalizedData
from residua.data.named_paths import remember
from residua.errors import UsageError
from residua.spec import DataSource, DataSpec


def load_data(
    spec: str | Path | DataSource | DataSpec = "digits", *, workers: int = 0, storage: str | None = None
) -> Any:
    """The data that a spec describes, split into training, validation and test parts: of images, ``Data``.

    ``workers`` is the number of threads that decode images (0: one for each core that this process may use); what is
    read never depends on it. ``storage`` (``memory`` or ``stream``) repeats what an earlier loading decided, as
    ``Data.identity["storage"]`` holds it; None decides by the available memory.

    Raises UsageError for a source that is neither a kind nor a path, or holds nothing of its kind, or several kinds;
    ResiduaError for files that are damaged.
    """
    spec = DataSpec.of(spec)
    if workers < 0 or storage not in (None, "memory", "stream"):
        raise UsageError(
            f"workers are 0 or more and storage is 'memory' or 'stream', not {workers} and {storage!r}"
        )
    spec = dataclasses.replace(spec, source=spec.source.resolved())
    data = spec.source.load(spec, threads=workers, storage=storage)
    if data.identity.get("path"):
        remember(data.identity["path"])
    if spec.mean is not None and spec.std is not None:
        if not isinstance(data, NormalizedData):
            raise UsageError(f"{spec.source} has no images to normalise by a mean and a std")
        data = data.normalized_with(spec.mean, spec.std)
    if spec.validate_on == "val":
        return data
    if not isinstance(data, Data):
        raise UsageError(f"validate_on 'test' is for images with classes, not for {spec.source}")
    splits = {**data.identity["splits"], "val": "the test images, for curves alone"}
    return dataclasses.replace(data, val=data.test, identity={**data.identity, "splits": splits})
