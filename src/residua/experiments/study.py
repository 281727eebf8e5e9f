"""An experiment under way at one scale: which cells it asks for, seed by seed, until its verdict is decided."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from residua.errors import UsageError
from residua.experiments.cell import Cell, load, make_cell
from residua.experiments.experiment import Experiment, Scale, Setting
from residua.experiments.rules import Verdict, judge
from residua.spec import DataSpec

DIGITS = "digits"
QUICK_BATCHES = 22  # an epoch of the bundled digits: at the quick scale an epoch of any data is no longer


class Wanted(NamedTuple):
    """A cell that an experiment waits for."""

    arm: str
    seed: int
    cell: Cell


@dataclass(kw_only=True)
class Study:
    """An experiment under way: which cells it has asked for, and what they gave."""

    experiment: Experiment
    scale: Scale
    data: str | None
    first_seeds: int | None
    max_seeds: int
    root: Path
    device: str
    deadline: float = math.inf  # on the monotonic clock: no seed is added after it
    evidence: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)  # arm and seed: why
    asked: int = 0  # seeds
    identity: dict[str, Any] = field(default_factory=dict)  # of the data
    refused: str = ""  # why it cannot be judged here

    def __post_init__(self) -> None:
        first = 1 if self.first_seeds is None else self.first_seeds
        if not 1 <= first <= self.max_seeds:
            raise UsageError(f"seeds are from 1 to max_seeds, not {self.first_seeds} and {self.max_seeds}")

    @property
    def setting(self) -> Setting | None:
        """How it is run, or None where it cannot be."""
        setting = self.experiment.setting(self.scale)
        return setting if isinstance(setting, Setting) and not self.refused else None

    @property
    def reason(self) -> str:
        """Why it is not run."""
        setting = self.experiment.setting(self.scale)
        return self.refused or (setting if isinstance(setting, str) else "")

    def next_cells(self) -> list[Wanted]:
        """The cells of the next seeds; none if the verdict is decided, or seeds or time are used up."""
        setting = self.setting
        source = None if setting is None else self._source(setting)
        if setting is None or source is None:
            return []
        if setting.fixed:
            target = 1
        elif self.asked == 0:
            target = min(self.first_seeds or setting.seeds, self.max_seeds)
        else:
            ended = self.verdict().decided or time.monotonic() >= self.deadline
            target = self.asked if ended else min(self.asked + 1, self.max_seeds)
        seeds, self.asked = range(self.asked, target), target
        borrowed = self.scale == "quick" and source != setting.source
        return [
            Wanted(
                arm.name,
                seed,
                make_cell(
                    setting,
                    arm,
                    seed,
                    root=self.root,
                    source=_held_out(source, seed) if self._rotates else source,
                    look=self.experiment.look,
                    device=self.device,
                    limit=QUICK_BATCHES if borrowed and not arm.source else None,
                ),
            )
            for seed in seeds
            for arm in setting.arms
        ]

    def verdict(self) -> Verdict:
        """The verdict on what is measured so far."""
        if not self.setting:
            return Verdict(status="not judged at this scale", rulings={})
        return judge(self.setting.rules, self.evidence)

    @property
    def _rotates(self) -> bool:
        """Whether what is trained is measured on another part of the digits with every seed."""
        return self.setting is not None and bool(self.setting.recipe)

    def _source(self, setting: Setting) -> str | None:
        """The data to run on; None, with the reason noted, where it is not the kind that the setting needs."""
        source = setting.source
        if self.data is not None and (setting.needs or source == DIGITS):
            source = self.data
        elif setting.needs:
            self.refused = f"it needs {setting.needs}: --data PATH"
            return None
        loaded = load(DataSpec.of(source).change(val_fraction=0.0))
        if setting.needs and loaded.kind != setting.needs:
            self.refused = f"it needs {setting.needs}, and {source} is {loaded.kind}"
            return None
        self.identity = {
            "source": loaded.kind,
            "fingerprint": loaded.identity["fingerprint"]["sha256"],
            "counts": loaded.identity.get("counts", {}),
        }
        return source


def _held_out(source: str, seed: int) -> str:
    """The digits with the fifth that a seed is tested on, in turns, so that seeds differ in their test images.

    Seed 0 has the fixed part, which is the first fifth; other data are as they are.
    """
    from residua.data.sources.digits import FOLDS  # only here: it imports numpy, and results are read without

    fold = seed % FOLDS
    return f"{source}:fold={fold}" if source == DIGITS and fold else source
