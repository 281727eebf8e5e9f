"""Hyper-connections (Zhu et al. 2024): n streams between units; ``nn.streams`` says how they lie in a tensor."""

from __future__ import annotations

from torch import Tensor, nn

from residua.nn.merge import Sum


class HyperConnection(Sum):
    """``mix`` the shortcuts of n streams, and ``write`` to each the branch of the sum that it ``read`` of them.

    ``h_t <- sum_s mix[s, t] shortcut(h_s) + write[t] * branch(sum_s read[s] h_s)`` (Zhu et al. 2024, sec. 2).

    Args:
        streams: n.
        read: a module from the unit's input, as ``(N, ..., n, C)``, to the weights ``(N, ..., n, 1)``.
        mix: from what the shortcuts give, as ``(N, ..., n, C')``, to ``(N, ..., n, n)``.
        write: from the same to ``(N, ..., n, 1)``.
        axis: where channels stand: 1 in maps ``(N, C, ...)``, -1 at positions ``(N, L, C)``.

    """

    def __init__(
        self, streams: int, *, read: nn.Module, mix: nn.Module, write: nn.Module, axis: int = 1
    ) -> None:
        super().__init__()
        self.streams = streams
        self.axis = axis
        self.weights = nn.ModuleDict({"read": read, "mix": mix, "write": write})

    def read(self, x: Tensor) -> Tensor:  # noqa: D102
        streams = self._apart(x)
        return (self.weights["read"](streams) * streams).sum(-2).movedim(-1, self.axis)

    def forward(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        return self.without_branch(x, shortcut) + self.contribution(x, shortcut, branch)

    def contribution(self, x: Tensor, shortcut: Tensor, branch: Tensor) -> Tensor:  # noqa: D102
        weights = self.weights["write"](self._apart(shortcut))
        return self._together(weights * branch.movedim(self.axis, -1).unsqueeze(-2))

    def without_branch(self, x: Tensor, shortcut: Tensor) -> Tensor:  # noqa: D102
        streams = self._apart(shortcut)
        return self._together(self.weights["mix"](streams).mT @ streams)

    def _apart(self, x: Tensor) -> Tensor:  # (N n, C, ...) to (N, ..., n, C)
        axis = self.axis + (self.axis > 0)  # the batch is two dimensions now
        return x.unflatten(0, (-1, self.streams)).movedim((1, axis), (-2, -1))

    def _together(self, streams: Tensor) -> Tensor:
        axis = self.axis + (self.axis > 0)
        return streams.movedim((-2, -1), (1, axis)).flatten(0, 1)

    def extra_repr(self) -> str:  # noqa: D102
        return f"streams={self.streams}"
