"""What a family of a foreign library is to residua: how its tensors are called, and what they cannot tell."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from torch import Tensor

from residua.spec import ModelSpec

Tensors = Mapping[str, Tensor]
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_FIELD = re.compile(r"\{(\w)(?:\+(\d))?\}")


@dataclass(frozen=True, kw_only=True)
class Images:
    """The images that a library's networks are trained on; their size follows from the network."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """A field of the spec that tensors cannot tell: the library's habit, and what is said of it."""

    value: Any = None  # None: what ``infer`` gives
    note: str
    open: Callable[[Tensors], bool] = lambda tensors: True  # whether these tensors leave it open


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How one library names the tensors of one kind of network.

    ``keys`` pairs templates of residua's names and of the library's: ``{p}`` stands for the name of a parameter,
    any other letter for a number, ``{s+1}`` for a number that the library counts from one. Several names of ours may
    belong to one of theirs (where it depends on the unit), so a network is read by asking for each of its own names.

    ``infer`` finds the spec's fields out of tensors under our names; ``mine`` says whether tensors that have the
    names are the library's, where two libraries share them.
    """

    library: str
    families: tuple[str, ...]
    keys: Mapping[str, str]
    infer: Callable[[Tensors], dict[str, Any]]
    images: Images
    other_images: Mapping[int, Images] = field(default_factory=dict)  # by number of classes
    mine: Callable[[Tensors], bool] = lambda tensors: True
    # old names to those of today; None: tensors of another layout
    prepare: Callable[[Tensors], Tensors | None] = lambda tensors: tensors
    assumed: Mapping[str, Assumption] = field(default_factory=dict)
    # what the library's own code builds, and nothing else; a frozenset holds alternatives
    fixed: Mapping[str, Any] = field(default_factory=dict)
    # fields that change nothing in this spec
    idle: Callable[[Any], frozenset[str]] = lambda spec: frozenset()
    names: Callable[[Any], tuple[str, ...]] = lambda spec: ()  # registered only as a pattern
    notes: tuple[str, ...] = ()
    # templates of our names, and how many dimensions those tensors have there, where the last ones are 1
    dimensions: Mapping[str, int] = field(default_factory=dict)
    read_only: bool = False

    def provisional(self, names: Iterable[str]) -> dict[str, str] | None:
        """Their names and ours, good enough to ``infer`` from; None if one of the names is not of this layout."""
        backwards = _table(tuple((theirs, ours) for ours, theirs in self.keys.items()))
        renamed = {}
        for name in names:
            ours = _translate(name, backwards)
            if ours is None:
                return None
            renamed[name] = ours
        return renamed

    def foreign(self, names: Iterable[str]) -> dict[str, str]:
        """Our names and theirs. A KeyError names what the library has no place for."""
        forwards = _table(tuple(self.keys.items()))
        renamed = {name: _translate(name, forwards) for name in names}
        for name, new in renamed.items():
            if new is None:
                raise KeyError(name)
        return {old: new for old, new in renamed.items() if new}

    def there(self, name: str, tensor: Tensor) -> Tensor:
        """Our tensor in the library's shape."""
        count = self._dimensions(name, tensor.ndim)
        return tensor.reshape(tuple(tensor.shape[:count]) + (1,) * (count - tensor.ndim))

    def here(self, name: str, tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
        """The library's tensor in our shape, if it has the library's or ours."""
        same = tensor.shape[: len(shape)] == shape[: tensor.ndim] and tensor.numel() == math.prod(shape)
        return tensor.reshape(shape) if same and tensor.ndim == self._dimensions(name, -1) else tensor

    def _dimensions(self, name: str, usual: int) -> int:
        counts = (
            count for template, count in self.dimensions.items() if _pattern(template)[0].fullmatch(name)
        )
        return next(counts, usual)

    def data(self, spec: ModelSpec, notes: Iterable[str]) -> dict[str, Any]:
        """What is known of the images of a network of this layout."""
        images = self.other_images.get(spec.num_classes, self.images)
        known: dict[str, Any] = {"library": self.library, "notes": [*notes, *self.notes]}
        if spec.in_channels == len(images.mean):
            shape: tuple[int, ...] = spec.usual_input
            known |= {"shape": list(shape), "mean": list(images.mean), "std": list(images.std)}
        if images.classes and spec.num_classes == len(images.classes):
            known["classes"] = list(images.classes)
        return known


def rewrite(changes: Mapping[str, str | None]) -> Callable[[Tensors], Tensors]:
    """Tensors under other names: the pattern's replacement, or none for what is no part of the network."""

    def prepare(tensors: Tensors) -> Tensors:
        for pattern, replacement in changes.items():
            if replacement is None:
                tensors = {name: one for name, one in tensors.items() if not re.search(pattern, name)}
            else:
                tensors = {re.sub(pattern, replacement, name): one for name, one in tensors.items()}
        return tensors

    return prepare


_Table = tuple[tuple[re.Pattern[str], dict[str, int], str], ...]


@cache
def _table(pairs: tuple[tuple[str, str], ...]) -> _Table:
    return tuple((*_pattern(source), target) for source, target in pairs)


def _pattern(template: str) -> tuple[re.Pattern[str], dict[str, int]]:
    """A pattern that takes the fields out of a name, and what is added to each of them in it."""
    pattern, end, added = "", 0, {}
    for match in _FIELD.finditer(template):
        pattern += re.escape(template[end : match.start()])
        pattern += f"(?P<{match[1]}>{'[a-z_]+' if match[1] == 'p' else '[0-9]{1,4}'})"
        added[match[1]], end = int(match[2] or 0), match.end()
    return re.compile(pattern + re.escape(template[end:])), added


def _translate(name: str, table: _Table) -> str | None:
    for pattern, added, template in table:
        match = pattern.fullmatch(name)
        if match:
            values = match.groupdict()
            return _FIELD.sub(partial(_value, values, added), template)
    return None


def _value(values: Mapping[str, str], added: Mapping[str, int], field: re.Match[str]) -> str:
    shift = int(field[2] or 0) - added[field[1]]
    return str(int(values[field[1]]) + shift) if shift else values[field[1]]
