"""How well copies of a photo are found, and how many strangers are taken for copies: thumbnails beside hashes.

On photos of 32 px, where strangers look alike most. Every pair of the photos of a folder that a method takes for one
is counted: few of them are copies, so this bounds the false alarms. Of each of a thousand photos copies are made, and
the share is counted that is found.

    python -m benchmarks.near_duplicates path/to/cifar10-jpeg/test
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.harness import RESULTS, where
from residua.data.alike import ALIKE
from residua.data.listing import list_folder
from residua.files import write_json, write_text
from residua.machine import describe_machine
from residua.survey import take_survey
from residua.survey.photos import SIDE, thumbnail

COPIED = 1000  # photos of which copies are made
ROWS = 500  # photos that are compared with all others at once


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _scaled(image: Image.Image, factor: float) -> Image.Image:
    return image.resize([round(factor * side) for side in image.size])


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG, quality 30": lambda image: _jpeg(image, 30),
    "3/4 of the size, quality 70": lambda image: _jpeg(_scaled(image, 0.75), 70),
    "3 times the size, quality 80": lambda image: _jpeg(_scaled(image, 3), 80),
    "10 % brighter": lambda image: image.point([min(255, round(1.1 * value)) for value in range(256)] * 3),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "a border of 1/16 cut off": lambda image: image.crop((2, 2, image.width - 2, image.height - 2)),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


def by_thumbnail(image: Image.Image) -> np.ndarray:
    """What ``residua.data.alike`` compares: float32 of mean 0 and norm 1, so that products are correlations."""
    values = thumbnail(image).ravel().astype(np.float32)
    values -= values.mean()
    return values / max(float(np.linalg.norm(values)), 1.0)


def by_hash(image: Image.Image) -> np.ndarray:
    """The difference hash: whether each of 9x9 grey pixels is brighter than the next, across and down; 128 signs.

    Divided so that products are 1 - 2 d / 128, of d bits that differ.
    """
    grey = np.asarray(image.convert("L").resize((9, 9), Image.Resampling.BOX)).astype(int)
    bits = np.concatenate([(np.diff(grey[:8]) > 0).ravel(), (np.diff(grey[:, :8], axis=0) > 0).ravel()])
    return (2 * bits.astype(np.float32) - 1) / np.sqrt(np.float32(bits.size))


# each: what is compared, and the least product of two that are taken for one
METHODS: dict[str, tuple[Callable[[Image.Image], np.ndarray], float]] = {
    f"thumbnails of {SIDE} px, correlation {ALIKE} (residua)": (by_thumbnail, ALIKE),
    "thumbnails, correlation 0.95": (by_thumbnail, 0.95),
    "thumbnails, correlation 0.99": (by_thumbnail, 0.99),
    "difference hash of 128 bits, 4 differ": (by_hash, 1 - 2 * 4.5 / 128),
    "difference hash of 128 bits, 10 differ": (by_hash, 1 - 2 * 10.5 / 128),
    "difference hash of 128 bits, 16 differ": (by_hash, 1 - 2 * 16.5 / 128),
}


def measure(images: list[Image.Image], chosen: np.ndarray) -> list[dict[str, Any]]:
    """A row for each method: the pairs among ``images`` and the shares of copies of the ``chosen`` ones it finds."""
    copies = {name: [make(images[place]) for place in chosen] for name, make in COPIES.items()}
    rows = []
    for method, (describe, least) in METHODS.items():
        vectors = np.stack([describe(image) for image in images])
        pairs = 0
        for start in range(0, len(vectors), ROWS):
            alike = vectors[start : start + ROWS] @ vectors.T >= least
            pairs += int(np.triu(alike, start + 1).sum())
        found = {
            name: float(
                np.mean(
                    [
                        describe(copy) @ vectors[place] >= least
                        for copy, place in zip(made, chosen, strict=True)
                    ]
                )
            )
            for name, made in copies.items()
        }
        rows.append({"method": method, "pairs": pairs, "found": found})
    return rows


def main() -> None:
    """Measure and store the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="class folders of JPEG files")
    folder = parser.parse_args().folder
    paths = list_folder(folder).paths
    images = [Image.open(folder / path).convert("RGB") for path in paths]
    chosen = np.random.default_rng(0).choice(len(images), min(COPIED, len(images)), replace=False)
    before = time.process_time()
    survey = take_survey(folder)
    seconds = time.process_time() - before
    evidence = {
        "schema": 1,
        "command": "python -m benchmarks.near_duplicates path/to/cifar10-jpeg/test",
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        "images": len(images),
        "copied": len(chosen),
        "look": {"seconds": round(seconds, 1), "groups": len(survey.groups)},
        "rows": measure(images, chosen),
    }
    write_json(RESULTS / "near_duplicates.json", evidence)
    write_text(RESULTS / "near_duplicates.md", table(evidence))


def table(evidence: dict[str, Any]) -> str:
    """The Markdown page."""
    count = evidence["images"]
    lines = [
        "# Photos that lie in a set several times",
        "",
        f"`{evidence['command']}`, {evidence['date']}, {where(evidence['machine'])}.",
        "",
        f"Pairs among {count:,} photos ({count * (count - 1) // 2:,} pairs) that a method takes for one photo, and the "
        f"share of {evidence['copied']:,} copies of each kind that it finds.",
        "",
        "| method | pairs | " + " | ".join(COPIES) + " |",
        "|---|---:|" + "---:|" * len(COPIES),
    ]
    for row in evidence["rows"]:
        shares = " | ".join(f"{row['found'][name]:.1%}" for name in COPIES)
        lines.append(f"| {row['method']} | {row['pairs']:,} | {shares} |")
    look = evidence["look"]
    lines += [
        "",
        f"`residua data look` of these photos takes {look['seconds']} s of processor time, of reading and comparing, "
        f"and finds {look['groups']} groups.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
