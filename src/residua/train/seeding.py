"""Seeding torch's own generators, from which initialisation, dropout and drop path draw."""

from __future__ import annotations

import torch

from residua.data.batches.keyed import generator


def seed_torch(seed: int, purpose: str, *numbers: int) -> None:
    """Seed torch's default generators with a function of what the draws are for: never of what was drawn before.

    Without CUDA that is the processor's alone: torch.manual_seed notes the stack three times for devices to come, which
    is a tenth of a small network's step.
    """
    number = int(generator(seed, purpose, *numbers).integers(2**63))
    if torch.cuda.is_available():
        torch.manual_seed(number)
    else:
        torch.default_generator.manual_seed(number)
