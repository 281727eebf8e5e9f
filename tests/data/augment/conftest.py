"""What the tests of augmentations share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch


@pytest.fixture
def images_of() -> Callable[..., torch.Tensor]:
    """Images of noise from 1 to 255: uint8 (B, C, ..., H, W), with the channels last in memory."""

    def make(*shape: int) -> torch.Tensor:
        count, channels, *sides = shape
        pixels = np.random.default_rng(0).integers(1, 256, (count, *sides, channels), dtype=np.uint8)
        return torch.from_numpy(pixels).movedim(-1, 1)

    return make
