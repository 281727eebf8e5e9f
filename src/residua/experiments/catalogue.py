"""The papers, and every experiment of them. A paper is data, registered as a part; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from residua import parts
from residua.errors import UsageError, nearest
from residua.experiments.claims import CLAIMS, Claim
from residua.experiments.experiment import Experiment


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A work of the literature, or what popular texts make of one, as experiments.

    ``kind`` is its name, such as ``"he2015"``, with which the ids of its experiments begin. ``year`` says where it
    stands among the others. Raises ValueError for an experiment that has another name.
    """

    slot: ClassVar[str] = "paper"
    kind: str
    year: int
    experiments: tuple[Experiment, ...]

    def __post_init__(self) -> None:
        for item in self.experiments:
            if item.paper != self.kind:
                raise ValueError(
                    f"{item.id} is no experiment of {self.kind}: its id begins with {self.kind}/"
                )


def papers() -> dict[str, Paper]:
    """Every paper by name, in the order of years: residua's own, those of installed packages, and the user's."""
    known: list[Paper] = sorted(parts.parts("paper").values(), key=lambda item: (item.year, item.kind))
    return {item.kind: item for item in known}


def experiments() -> dict[str, Experiment]:
    """Every experiment by id, in the order of the papers."""
    return {item.id: item for one in papers().values() for item in one.experiments}


def claims() -> dict[str, Claim]:
    """The catalogue of claims, and what papers add to it."""
    return CLAIMS | {claim.id: claim for item in experiments().values() for claim in item.checked}


def find_experiments(names: str) -> list[Experiment]:
    """The experiments of an id, of a paper (``he2015``), or ``all``. Raises UsageError with the nearest name."""
    known, by_paper = experiments(), papers()
    if names == "all":
        return list(known.values())
    if names in by_paper:
        return list(by_paper[names].experiments)
    if names not in known:
        raise UsageError(f"unknown experiment {names!r}{nearest(names, [*known, *by_paper, 'all'])}")
    return [known[names]]
