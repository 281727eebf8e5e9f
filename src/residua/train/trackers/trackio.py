"""trackio: Hugging Face's local tracker; ``trackio show`` opens its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from residua.parts import register
from residua.spec import Tracker
from residua.train.track import figures, settings, tested


@register
@dataclass(frozen=True, kw_only=True)
class Trackio(Tracker):
    """A project in trackio's own store (TRACKIO_DIR)."""

    kind: ClassVar[str] = "trackio"
    package: ClassVar[str] = "trackio"

    project: str = "residua"

    def follow(self, run: Any, step: int) -> _Project:  # noqa: D102
        import trackio  # pyright: ignore[reportMissingImports]

        how: Any = {"resume": "allow" if step else "never", "embed": False}
        return _Project(trackio.init(self.project, name=run.name, config=settings(run), **how))


@dataclass(frozen=True)
class _Project:
    run: Any

    def epoch(self, line: Mapping[str, Any]) -> None:
        self.run.log(figures(line), step=line["step"])

    def close(self, result: Mapping[str, Any] | None) -> None:
        if result is not None:
            self.run.log(tested(result), step=result["steps"])
        self.run.finish()
