"""What an experiment is, as data: arms, settings at several scales, rules, published rows. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from residua.experiments.claims import CLAIMS, Claim
from residua.experiments.rules.ruling import Rule
from residua.published import Table, published
from residua.spec import ModelSpec

Scale = Literal["quick", "small", "paper"]
SCALES: tuple[Scale, ...] = ("quick", "small", "paper")


@dataclass(frozen=True)
class Arm:
    """One network of a comparison. Its name is the paper's."""

    name: str
    model: str | ModelSpec = ""  # a name of the registry, or a spec; empty: the look needs no network
    changes: Mapping[str, Any] = field(default_factory=dict)  # to the model's spec
    recipe: Mapping[str, Any] = field(default_factory=dict)  # to the setting's recipe
    options: Mapping[str, Any] = field(default_factory=dict)  # of the look
    source: str = ""  # other data than the setting's


@dataclass(frozen=True, kw_only=True)
class Setting:
    """An experiment at one scale: which networks are trained how, on what, and by which rules it is judged."""

    arms: tuple[Arm, ...]
    rules: Mapping[str, Rule]  # statement: what has to hold for it
    recipe: str = ""  # empty: nothing is trained, the networks are looked at as they are initialised
    changes: Mapping[str, Any] = field(default_factory=dict)  # to the recipe
    source: str = "digits"  # the data if the user gives none
    needs: str = ""  # the kind of data without which it cannot be run: "cifar10"
    curves: bool = False  # measure the test images after every epoch
    seeds: int = 5  # to begin with
    fixed: bool = False  # everything follows from the networks: one seed says all


@dataclass(frozen=True)
class PublishedRow:
    """A published figure that stands beside what is measured; ``arm`` is empty where nothing here measures it."""

    table: str | Table  # of published.toml by its id, or one of one's own
    model: str
    key: str
    arm: str = ""
    measure: str = "test_error"  # of the arm
    where: Mapping[str, Any] = field(default_factory=dict)  # other keys that tell rows of one model apart

    def to_dict(self) -> dict[str, Any]:
        """Plain values with the source: what reports show. Raises KeyError if there is no such row."""
        table = published().table(self.table) if isinstance(self.table, str) else self.table
        for row in table.rows:
            given = {"dataset": row.dataset, **row.values}
            if row.model == self.model and self.key in row.values and self.where.items() <= given.items():
                return {
                    "table": table.id,
                    "source": str(table),
                    "url": table.source.url,
                    "model": row.model,
                    "key": self.key,
                    "value": row.values[self.key],
                    "protocol": row.protocol,
                    "remark": row.values.get("remark", ""),
                    "status": row.status,
                    "measure": self.measure if self.arm else "",
                    "arm": self.arm,
                }
        raise KeyError(f"{table.id} has no row {self.model!r} with {self.key!r} {dict(self.where)}")


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A figure or a table of a paper, as something that can be run and judged."""

    id: str  # "he2015/degradation"
    title: str
    zh: str  # the title in Chinese
    claims: tuple[
        str | Claim, ...
    ]  # of the catalogue by their ids; empty: nobody's claim, a comparison of one's own
    where: str  # "He et al. 2015, sec. 4.2, Figure 6"
    settings: Mapping[Scale, Setting | str]  # or in words why it is not judged at that scale
    look: str = ""  # a kind of residua.looks: what is measured inside the network
    measures: tuple[str, ...] = ("test_error",)  # of the table, in order
    figure: Literal["curves", "bars", "series"] = "bars"
    published: tuple[PublishedRow, ...] = ()
    observations: tuple[str, ...] = ()  # of the published figures: results in words
    caveats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = [claim for claim in self.claims if isinstance(claim, str) and claim not in CLAIMS]
        if unknown:
            raise ValueError(f"{self.id}: unknown claims {unknown}")
        for scale, setting in self.settings.items():
            if isinstance(setting, Setting) and len({arm.name for arm in setting.arms}) != len(setting.arms):
                raise ValueError(f"{self.id}, {scale}: two arms have the same name")

    @property
    def paper(self) -> str:
        """``he2015`` of ``he2015/degradation``."""
        return self.id.partition("/")[0]

    @property
    def checked(self) -> tuple[Claim, ...]:
        """The claims that it checks."""
        return tuple(CLAIMS[claim] if isinstance(claim, str) else claim for claim in self.claims)

    @property
    def misquotes(self) -> tuple[str, ...]:
        """Ids of what popular texts make of its claims."""
        return tuple(dict.fromkeys(m for claim in self.checked for m in claim.misquotes))

    def setting(self, scale: Scale) -> Setting | str:
        """The setting at a scale, or why there is none."""
        return self.settings.get(scale, f"it has no setting at the scale {scale!r}")
