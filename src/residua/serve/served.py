"""A model inside a worker: bytes to pixels, pixels to answers. One bad image costs the others nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from residua.data.image import BadImage, open_image
from residua.deploy import Predictor
from residua.errors import UsageError
from residua.serve.batching import Options
from residua.serve.limits import Limits
from residua.serve.refused import Refused
from residua.serve.sources import files_of
from residua.serve.worker import Facts


class Served:
    """A predictor that refuses single images, for a worker of so many ``threads``.

    Raises UsageError or ResiduaError for a source that cannot be served.
    """

    def __init__(self, source: str, limits: Limits, threads: int) -> None:
        torch.set_num_threads(threads)
        self._limits = limits
        self._predictor = predictor = Predictor(source, threads=threads)
        if predictor.volumes:
            raise UsageError(f"{predictor.name} takes volumes; images alone are served")
        files = files_of(source)
        self.facts = Facts(
            version=_version(files[0]) if files else "unfinished",
            answers=predictor.answers,
            classes=tuple(predictor.classes),
            shape=predictor.shape,
            format=predictor.format,
            precision=predictor.precision,
            notes=tuple(predictor.notes),
        )

    def prepare(self, image: bytes) -> np.ndarray | Refused:
        """Pixels uint8 (C, H, W), or why there are none."""
        limits = self._limits
        try:
            with open_image(image) as header:
                width, height = header.size
            if width * height > limits.pixels or max(width, height) > limits.side:
                most = f"{limits.pixels:,} pixels and sides of {limits.side:,} are the most"
                return Refused(413, f"the image has {width} x {height} pixels: {most}")
            return self._predictor.prepare(image)
        except BadImage as error:
            return Refused(422, f"the image cannot be read: {error.reason}")

    def answers(
        self, prepared: Sequence[np.ndarray | Refused], options: Sequence[Options]
    ) -> list[dict[str, Any] | Refused]:
        """What is told of each image; what was refused stays refused."""
        good = [image for image in prepared if not isinstance(image, Refused)]
        size = self._predictor.batch_size
        parts = [
            self._predictor.outputs(np.stack(good[start : start + size]))
            for start in range(0, len(good), size)
        ]
        outputs = {
            name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())
        }
        rows = iter(range(len(good)))
        return [
            image if isinstance(image, Refused) else self._answer(outputs, next(rows), asked)
            for image, asked in zip(prepared, options, strict=True)
        ]

    def _answer(self, outputs: dict[str, np.ndarray], row: int, asked: Options) -> dict[str, Any] | Refused:
        logits = outputs["logits"][row : row + 1]
        if not np.isfinite(logits).all():
            return Refused(422, "the network's outputs for this image are not finite")
        named = self._predictor.named(logits, asked.top_k)[0]
        if self._predictor.answers == "numbers":
            return {"values": dict(named)}
        top = [{"label": label, "probability": probability} for label, probability in named]
        answer: dict[str, Any] = {**top[0], "top": top}
        if asked.cam:
            answer["cam"] = outputs["cam"][row].round(4).tolist() if "cam" in outputs else None
        return answer


def _version(file: Path) -> str:
    """The first digits of the SHA-256 of the file that a model is known by."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:12]
