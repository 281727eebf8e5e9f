"""What a network shall be fast enough for (``cpu:5ms``), and how fast it is: the latency of a single image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from residua.errors import UsageError
from residua.timing import compare

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_DEVICES = {"cpu": "cpu", "gpu": "cuda"}


@dataclass(frozen=True)
class Target:
    """The most seconds that one image may take on a device: ``cpu`` or ``cuda``."""

    device: str
    seconds: float

    def __str__(self) -> str:
        name = next(name for name, device in _DEVICES.items() if device == self.device)
        return f"{name}:{self.seconds * 1e3:g}ms"


def parse_seconds(text: str, flag: str) -> float:
    """``10m``, ``90s`` or ``5ms`` in seconds. Raises UsageError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(us|ms|s|m|min|h)", text.strip())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if not seconds > 0:
        raise UsageError(f"{flag} takes a time above zero such as 10m, 90s or 5ms, not {text!r}")
    return seconds


def parse_target(text: str) -> Target:
    """``cpu:5ms`` or ``gpu:1ms``. Raises UsageError for anything else."""
    device, _, time = text.partition(":")
    if device not in _DEVICES:
        raise UsageError(f"--target takes cpu:5ms or gpu:1ms, not {text!r}")
    return Target(_DEVICES[device], parse_seconds(time, "--target"))


def latency(network: Any, shape: tuple[int, ...], device: str) -> float:
    """Seconds of one image (C, H, W) through a network in evaluation mode; the median of rounds. It stays eager."""
    import torch

    network = network.to(device, memory_format=torch.channels_last).eval()
    image = torch.zeros(1, *shape, device=device).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        return compare({"network": lambda: network(image)}, warmup=3).median("network")
