"""Batch norms folded into the convolutions before them: in evaluation mode both are affine, and one is enough."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import Node
from torch.nn.utils.fusion import fuse_conv_bn_weights

from residua.errors import ResiduaError

M = TypeVar("M", bound=nn.Module)

_CONVOLUTIONS = (torch.ops.aten.conv2d.default, torch.ops.aten.conv3d.default)
_NORM = torch.ops.aten.batch_norm.default
_MOST = 1e-9  # that folding may change in float64, as a share of the largest output


def fold_norms(module: M, recorded: ExportedProgram, images: Tensor) -> tuple[M, float]:
    """A copy of ``module`` with its norms folded where a convolution alone feeds one, and what that changed.

    ``recorded`` is its program, which tells what follows what. The change is measured on ``images`` (N, C, H, W) with
    both networks in float64, as a share of the largest output. Raises ResiduaError if it is more than rounding.
    """
    before = copy.deepcopy(module).double()
    after = copy.deepcopy(before)
    for conv, norm in foldable(recorded):
        _fold(after, conv, norm)
    with torch.no_grad():
        expected, found = before(images)[0], after(images)[0]
    error = float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-12))
    if not error <= _MOST:
        raise ResiduaError(f"folding the norms changes the outputs by {error:.1g} of the largest, in float64")
    return after.float(), error


def foldable(recorded: ExportedProgram) -> list[tuple[str, str]]:
    """Names of convolutions and of the norms that read nothing else, each of them computed once."""
    parameters = recorded.graph_signature.inputs_to_parameters
    nodes = recorded.graph.nodes
    owners = {node: _owner(node, parameters) for node in nodes if node.target in (*_CONVOLUTIONS, _NORM)}
    calls = Counter(owners.values())
    pairs = []
    for node in nodes:
        if node.target is not _NORM:
            continue
        conv = node.args[0]
        if conv.target not in _CONVOLUTIONS or len(conv.users) > 1:
            continue
        names = owners[conv], owners[node]
        if all(name and calls[name] == 1 for name in names):
            pairs.append(names)
    return pairs


def _owner(node: Node, parameters: Mapping[str, str]) -> str:
    """The module whose weight a node takes; empty where it has none of its own."""
    weight = node.args[1]
    name = parameters.get(weight.name, "") if isinstance(weight, Node) else ""
    return name.removesuffix(".weight") if name.endswith(".weight") else ""


def _fold(module: nn.Module, conv_name: str, norm_name: str) -> None:
    conv: Any = module.get_submodule(conv_name)
    norm: Any = module.get_submodule(norm_name)
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    parent, _, name = norm_name.rpartition(".")
    setattr(module.get_submodule(parent), name, nn.Identity())
