"""Parity with the package ``hyper-connections``, in double precision."""

import copy

import pytest
import torch
from torch import nn

from residua.nn import Residual
from residua.nn.hyper import HyperConnection
from residua.nn.stream_weights import stream_weights

STREAMS, WIDTH = 3, 4
# ours by name: the columns of their static and dynamic weights, and their scales, which the first kinds share
SCALES = {
    "dynamic": {"read": "dynamic_alpha_scale", "mix": "dynamic_alpha_scale", "write": "dynamic_beta_scale"},
    "constrained": {"read": "pre_branch_scale", "mix": "residual_scale", "write": "h_post_scale"},
}


class Permuted(nn.Module):
    """A module between two permutations."""

    def __init__(self, inner, before, after):
        super().__init__()
        self.inner, self.before, self.after = inner, before, after

    def forward(self, x):
        return self.inner(x.permute(self.before)).permute(self.after)


def columns(connection, read):
    """``read`` of the package's static and dynamic parameters, as ours have them."""
    alpha, beta = read(connection.static_alpha), read(connection.static_beta)
    dynamic, write = read(connection.dynamic_alpha_fn), read(connection.dynamic_beta_fn)
    dynamic = dynamic.reshape(WIDTH, -1)  # mHC has a dimension of proposals, of which there is one
    return {
        "read": (alpha[:, :1], dynamic[:, :1]),
        "mix": (alpha[:, 1:], dynamic[:, 1:]),
        "write": (beta[:, None], write[:, None]),
    }


@pytest.mark.parametrize("maps", [True, False])
@pytest.mark.parametrize("kind", ["static", "dynamic", "constrained"])
def test_outputs_and_gradients_agree(kind, maps, monkeypatch):
    package = pytest.importorskip("hyper_connections")
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # it rounds mHC's weights to float32
    torch.manual_seed(0)
    branch = (nn.Conv2d(WIDTH, WIDTH, 3, padding=1) if maps else nn.Linear(WIDTH, WIDTH)).double()
    # pixels as positions: the branch of its channel_first form is wrong in 0.4.11, it sums over the width of the maps
    at_positions = Permuted(branch, (0, 3, 1, 2), (0, 2, 3, 1)) if maps else branch
    make = package.mHC if kind == "constrained" else package.HyperConnections
    connection = make(STREAMS, dim=WIDTH, branch=at_positions, layer_index=1).double()
    theirs = Permuted(connection, (0, 2, 3, 1), (0, 3, 1, 2)) if maps else connection
    with torch.no_grad():
        for parameter in connection.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        if kind == "static":
            connection.dynamic_alpha_fn.zero_()
            connection.dynamic_beta_fn.zero_()
    weights = stream_weights(kind, STREAMS, WIDTH)
    merge = HyperConnection(STREAMS, **weights, axis=1 if maps else -1)
    ours = Residual(copy.deepcopy(branch), merge=merge).double()
    parts = {name: part[0] if kind == "constrained" else part for name, part in weights.items()}
    gain = 1 + connection.norm.gamma.detach()[:, None]  # a factor of the weights that follow the norm
    with torch.no_grad():
        for name, (static, dynamic) in columns(connection, lambda p: p).items():
            parts[name].static.copy_(static)
            if kind != "static":
                parts[name].dynamic.copy_(gain * dynamic)
                parts[name].scale.copy_(getattr(connection, SCALES[kind][name]).squeeze())

    x = torch.randn((2 * STREAMS, WIDTH, 5, 5) if maps else (2 * STREAMS, 5, WIDTH), dtype=torch.float64)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    outputs = [net(value) for net, value in zip((theirs, ours), inputs, strict=True)]
    towards = torch.randn_like(x)
    for output in outputs:
        (output * towards).sum().backward()

    def agree(expected, got):
        assert torch.allclose(expected, got, rtol=1e-12, atol=1e-12)

    agree(*outputs)
    agree(*(value.grad for value in inputs))
    agree(branch.weight.grad, ours.branch.weight.grad)
    grads, values = (columns(connection, read) for read in (lambda p: p.grad, lambda p: p.detach()))
    gains, scales = 0, {}
    for name, (static, dynamic) in grads.items():
        agree(static, parts[name].static.grad)
        if kind != "static":
            agree(dynamic, gain * parts[name].dynamic.grad)
            gains = gains + (parts[name].dynamic.grad * values[name][1]).sum(1)
            theirs_name = SCALES[kind][name]
            scales[theirs_name] = scales.get(theirs_name, 0) + parts[name].scale.grad
    if kind != "static":
        agree(connection.norm.gamma.grad, gains)
        for name, got in scales.items():
            agree(getattr(connection, name).grad.squeeze(), got)
