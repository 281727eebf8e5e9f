"""What the digest of a tensor file costs: ``load_model`` of a ResNet-50 with other hashes in its place, and without.

The hash is the only difference between the candidates, which alternate; a file is sealed with the hash that reads it.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import xxhash

from benchmarks.harness import RESULTS, where
from residua import create_model, load_model
from residua.files import write_json, write_text
from residua.machine import describe_machine
from residua.timing import compare
from residua.weights.model_files import save_model

BASELINE = "no digest"
UNCHECKED = "residua.weights.digest.DigestCheck.end"


class Crc32:
    """zlib's checksum as a hash object."""

    def __init__(self, data: bytes = b"") -> None:
        self._value = zlib.crc32(data)

    def update(self, data: Any) -> None:
        """Take the next bytes."""
        self._value = zlib.crc32(data, self._value)

    def hexdigest(self) -> str:
        """As hexadecimal digits."""
        return f"{self._value:032x}"


class Nothing(Crc32):
    """Reads nothing."""

    def update(self, data: Any) -> None:
        """Leave the next bytes alone."""


HASHES: dict[str, Callable[..., Any]] = {
    BASELINE: Nothing,
    "XXH3-128 (residua)": xxhash.xxh3_128,
    "CRC-32": Crc32,
    "SHA-256": hashlib.sha256,
    "BLAKE2b": hashlib.blake2b,
}


def loader(path: Path, new: Callable[..., Any]) -> Callable[[], object]:
    """``load_model(path)`` with another hash; what it gives is not compared, for its length may differ."""

    def load() -> object:
        with patch("residua.weights.digest.hasher", new), patch(UNCHECKED):
            return load_model(path)

    return load


def main() -> None:
    """Load in turns and store the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet50.safetensors"
        save_model(path, create_model("resnet50"))
        size = path.stat().st_size
        comparison = compare(
            {name: loader(path, new) for name, new in HASHES.items()},
            rounds=arguments.rounds,
            warmup=2,
            min_seconds=0.0,
            baseline=BASELINE,
        )
    evidence = {
        "schema": 1,
        "command": "python -m benchmarks.digest",
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        "bytes": size,
        **comparison.to_dict(),
    }
    write_json(RESULTS / "digest.json", evidence)
    write_text(RESULTS / "digest.md", table(evidence))


def table(evidence: dict[str, Any]) -> str:
    """The Markdown page."""
    lines = [
        "# The digest of a tensor file",
        "",
        f"`{evidence['command']}`, {evidence['date']}, {where(evidence['machine'])}.",
        "",
        f"`load_model` of a ResNet-50 ({evidence['bytes'] / 1e6:.0f} MB, in the system's cache), "
        f"{evidence['rounds']} rounds in turns; the time of each hash over that of *{BASELINE}*, median "
        "(10-90 % of the rounds).",
        "",
        "| hash | milliseconds, median | least | time over none |",
        "|---|---:|---:|---:|",
    ]
    for name, row in evidence["candidates"].items():
        low, high = (1 / share - 1 for share in reversed(row["speedup_10_90"]))
        lines.append(
            f"| {name} | {1e3 * row['median_seconds']:.0f} | {1e3 * min(row['seconds']):.0f} "
            f"| {1 / row['speedup'] - 1:+.1%} ({low:+.1%} to {high:+.1%}) |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
