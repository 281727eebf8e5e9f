"""What inversion keeps, and what it changes: ``python -m benchmarks.reversible`` prints the table of docs/blocks.md.

RevNets of CIFAR by depth, and the same networks as chains that keep their activations: bytes that autograd holds after
the forward pass of 8 images (weights apart), and how far the gradient of the first convolution is from the chain's, in
float32 and in float64, relative to its norm.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua import create_model
from residua.nn import Chain

UNITS = {38: 6, 110: 18, 326: 54}  # depth: units of a stage


def kept_bytes(net: nn.Module, images: Tensor) -> int:
    """Bytes that autograd holds after a forward pass, without the weights."""
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        sizes[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        net(images)
    weights = {parameter.data_ptr() for parameter in net.parameters()}
    return sum(size for place, size in sizes.items() if place not in weights)


def gradient(net: nn.Module, images: Tensor) -> Tensor:
    """The gradient of the first convolution in a training step."""
    net.zero_grad()
    F.cross_entropy(net(images), torch.arange(len(images))).backward()
    found = next(net.parameters()).grad
    assert found is not None
    return found


def main() -> None:
    """Print a row a depth."""
    print("| depth | kept | by a chain | gradients, float32 | float64 |")
    print("|---:|---:|---:|---:|---:|")
    for depth, units in UNITS.items():
        torch.manual_seed(0)
        inverted = create_model("cifar_revnet38", depths=(units,) * 3).train()
        chain = copy.deepcopy(inverted)
        chain.stages = Chain(
            *(Chain(*stage.children()) for stage in chain.get_submodule("stages").children())
        )
        images = torch.randn(8, 3, 32, 32)
        kept = [f"{kept_bytes(net, images) / 2**20:.1f} MB" for net in (inverted, chain)]
        errors = []
        for dtype in (torch.float32, torch.float64):
            one, other = (gradient(net.to(dtype), images.to(dtype)) for net in (inverted, chain))
            errors.append(f"{float((one - other).norm() / other.norm()):.0e}")
        print(f"| {depth} | {' | '.join([*kept, *errors])} |", flush=True)


if __name__ == "__main__":
    main()
