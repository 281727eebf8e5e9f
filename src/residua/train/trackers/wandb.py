"""Weights & Biases: kept in ``<run>/wandb`` without a network, or sent while training with ``wandb(mode='online')``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from residua.parts import register
from residua.spec import Tracker
from residua.train.track import figures, identity, settings, tested


@register
@dataclass(frozen=True, kw_only=True)
class WeightsAndBiases(Tracker):
    """``wandb sync`` sends what was kept offline."""

    kind: ClassVar[str] = "wandb"
    package: ClassVar[str] = "wandb"

    project: str = "residua"
    mode: Literal["offline", "online"] = "offline"

    def follow(self, run: Any, step: int) -> _Followed:  # noqa: D102
        import wandb  # pyright: ignore[reportMissingImports]

        return _Followed(
            wandb.init(
                project=self.project,
                name=run.name,
                id=identity(run),
                resume="allow",
                dir=run.path,
                mode=self.mode,
                config=settings(run),
                reinit="create_new",
                settings=wandb.Settings(silent=True, console="off", x_disable_stats=True),
            )
        )


@dataclass(frozen=True)
class _Followed:
    run: Any

    def epoch(self, line: Mapping[str, Any]) -> None:
        self.run.log(figures(line), step=line["step"])

    def close(self, result: Mapping[str, Any] | None) -> None:
        if result is not None:
            self.run.summary.update(tested(result))
        self.run.finish(exit_code=result is None)
