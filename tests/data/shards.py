"""Tar shards that tests write, and the images in them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image


def encoded(number: int, size: int = 16) -> bytes:
    """The bytes of a PNG file of random pixels."""
    pixels = np.random.default_rng(number).integers(0, 256, (size, size, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def write_tar(path: Path, members: Iterable[tuple[str | tarfile.TarInfo, bytes]]) -> Path:
    """A tar file of members, each with a name or a header of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name) if isinstance(name, str) else name
            member.size = len(content) if isinstance(name, str) else member.size
            tar.addfile(member, io.BytesIO(content))
    return path


def samples(numbers: Iterable[int], how: str = "cls") -> Iterable[tuple[str, bytes]]:
    """Image ``encoded(i)`` with the label i % 2, as WebDataset writes it."""
    for i in numbers:
        yield f"some/{i:05}.png", encoded(i)
        if how == "cls":
            yield f"some/{i:05}.cls", str(i % 2).encode()
        else:
            yield f"some/{i:05}.json", json.dumps({"label": "ab"[i % 2], "other": i % 3}).encode()
