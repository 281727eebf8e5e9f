"""Seeding torch's own generators, from which initialisation, dropout and drop path draw."""

from __future__ import annotations

import torch

from residua.data.batches.keyed import generator


def seed_torch(seed: int, purpose: str, *numbers: int) -> None:
    """Seed torch's default generators with a function of what the draws are for: never of what was drawn before."""
    torch.manual_seed(int(generator(seed, purpose, *numbers).integers(2**63)))
