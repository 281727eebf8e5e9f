"""Small image folders and CIFAR files that every data test can make."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MakeFolder = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """``make_folder({"cat": 3, "dog": 4}, size=(20, 20), mode="RGB")`` writes PNGs of random pixels."""

    def make(
        counts: dict[str, int], size: tuple[int, int] = (20, 20), mode: str = "RGB", root: str = "set"
    ) -> Path:
        random = np.random.default_rng(0)
        for name, count in counts.items():
            folder = tmp_path / root / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
                Image.fromarray(pixels).convert(mode).save(folder / f"{i:03}.png")
        return tmp_path / root

    return make


@pytest.fixture
def cifar10_rows() -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 (6, 20, 3072) and labels (6, 20) of five training batches and a test batch."""
    random = np.random.default_rng(1)
    return random.integers(0, 256, (6, 20, 3072), dtype=np.uint8), np.tile(np.arange(10), (6, 2))


CLASSES = [f"class{i}" for i in range(10)]


@pytest.fixture
def pickled_cifar10(tmp_path: Path, cifar10_rows: tuple[np.ndarray, np.ndarray]) -> Path:
    folder = tmp_path / "pickled" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    for name, rows, labels in zip(names, *cifar10_rows, strict=True):
        content = {"batch_label": name, "labels": labels.tolist(), "data": rows, "filenames": ["x.png"] * 20}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": CLASSES}, protocol=2))
    return folder


@pytest.fixture
def binary_cifar10(tmp_path: Path, cifar10_rows: tuple[np.ndarray, np.ndarray]) -> Path:
    folder = tmp_path / "binary" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    for name, rows, labels in zip(names, *cifar10_rows, strict=True):
        (folder / name).write_bytes(
            np.concatenate([labels[:, None].astype(np.uint8), rows], axis=1).tobytes()
        )
    (folder / "batches.meta.txt").write_text("\n".join(CLASSES) + "\n\n")
    return folder
