"""Inputs and comparisons that suit any network: images, volumes, latents, tokens; tensors or structures of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from residua.registry import build
from residua.spec import ModelSpec

BATCH = 4


def network(spec: ModelSpec, seed: int = 0) -> nn.Module:
    """The network of a spec, always with the same numbers, in evaluation mode.

    Norms get statistics and scales of their own, so that nothing hides behind ones and zeros.
    """
    torch.manual_seed(seed)
    model = build(spec).eval()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.8, 1.2)  # type: ignore[arg-type]  # norms here have statistics
    return model


def example(spec: ModelSpec, batch: int = BATCH) -> Tensor:
    """Inputs of the spec's usual shape: tokens for a network that takes them, else numbers of unit variance."""
    generator = torch.Generator().manual_seed(1)
    shape = (batch, *spec.usual_input)
    if spec.takes_tokens:
        return torch.randint(0, spec.vocabulary, shape, generator=generator)  # type: ignore[attr-defined]  # of specs that take tokens
    return torch.randn(shape, generator=generator)


def tensors(output: Any) -> list[Tensor]:
    """The tensors of an output, whatever its structure."""
    return [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]


def assert_close(output: Any, expected: Any, tolerance: float) -> None:
    """Assert that two outputs differ by less than ``tolerance`` of the expected one's largest value."""
    ours, theirs = tensors(output), tensors(expected)
    assert len(ours) == len(theirs) > 0, f"{len(ours)} tensors instead of {len(theirs)}"
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape, f"shape {tuple(a.shape)} instead of {tuple(b.shape)}"
        if b.is_floating_point():
            error = float((a.double() - b.double()).abs().max())
            scale = float(b.double().abs().max()) + 1e-6
            assert error <= tolerance * scale, f"differs by {error / scale:.2g} of the largest value"
        else:
            assert torch.equal(a, b), "whole numbers differ"


def assert_equal(output: Any, expected: Any) -> None:
    """Assert that two outputs are the same, bit for bit."""
    ours, theirs = tensors(output), tensors(expected)
    assert len(ours) == len(theirs) > 0, f"{len(ours)} tensors instead of {len(theirs)}"
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True)), "differs bit for bit"
