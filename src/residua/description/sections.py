"""A page of text: sections with headings and lines of at most 100 columns."""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from residua import cards
from residua.analysis.cost import Cost
from residua.description.columns import WIDTH
from residua.spec import ModelSpec

SCHEMA = 1

PUBLISHED = "Published (errors and accuracies in percent; never compare across protocols)"


@dataclass(frozen=True)
class Section:
    """A heading and the lines under it."""

    heading: str
    lines: tuple[str, ...]


class Page(ABC):
    """What is said of a network; ``str()`` gives a page of at most 100 columns."""

    spec: ModelSpec

    @property
    @abstractmethod
    def counted(self) -> Cost:
        """Its exact counts."""

    @property
    def name(self) -> str:
        """The network's name."""
        return self.spec.name

    @property
    def parameters(self) -> int:
        """Exact number of parameters."""
        return self.counted.parameters

    @property
    def multiply_adds(self) -> int:
        """Exact multiply-adds of one input, as ``residua.analysis.cost`` counts them."""
        return self.counted.multiply_adds

    @property
    @abstractmethod
    def depth(self) -> int:
        """Layers, as the network's papers count them."""

    def head(self) -> dict[str, Any]:
        """The values that every page begins with."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "family": self.spec.family,
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "input": list(self.counted.input),
            "depth": self.depth,
        }

    def title(self, shape: str) -> str:
        """What it is for an input, in a line."""
        counts = f"{self.parameters:,} parameters, {self.multiply_adds:,} multiply-adds"
        return f"{self.name}: {counts} for {shape}, depth {self.depth}"

    @abstractmethod
    def sections(self) -> list[Section]:
        """The page as headings and lines; what there is nothing to say of is left out."""

    def __str__(self) -> str:
        return render(self.sections())

    def _repr_html_(self) -> str:
        first, *rest = self.sections()
        return cards.card(
            first.heading or self.name, cards.page(render([Section("", first.lines), *rest]).strip("\n"))
        )


def filled(*sections: tuple[str, Sequence[str]]) -> list[Section]:
    """The sections that have lines; what there is nothing to say of is left out."""
    return [Section(heading, tuple(lines)) for heading, lines in sections if lines]


def render(sections: Sequence[Section]) -> str:
    """The page as plain text."""
    return "\n\n".join("\n".join([*wrapped(section.heading), *section.lines]) for section in sections)


def wrapped(text: str) -> list[str]:
    """The text as lines."""
    return textwrap.wrap(text, WIDTH)


def bullets(texts: Iterable[str]) -> list[str]:
    """Each text as a list item, wrapped."""
    return [
        line
        for text in texts
        for line in textwrap.wrap(text, WIDTH, initial_indent="- ", subsequent_indent="  ")
    ]


def sizes(shape: Sequence[int]) -> str:
    """A shape (C, H, W) as ``64x56x56``."""
    return "x".join(map(str, shape))
