"""One cell of a grid: a network trained (or only built) with one seed, and what is measured of it.

A cell is a folder. A training is a run folder with all that belongs to it; where ``result.json`` and ``metrics.jsonl``
alone are left of one (what is committed of a long grid), the cell still counts as run. Experiments share cells: the
name of the folder says model, recipe and data, with a digest of every field of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from residua.experiments.experiment import Arm, Setting
from residua.registry import model_spec
from residua.runs import layout
from residua.spec import DataSpec, PartSpec, Recipe, Spec
from residua.user_files import files_behind


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Everything that decides what is measured; plain values, so that it can be sent to another process."""

    root: str  # the folder of all cells
    model: dict[str, Any] | None  # a spec; None: the look needs no network
    data: dict[str, Any]  # a data spec
    kind: str  # of the data
    fingerprint: str  # of the data
    recipe: dict[str, Any] | None  # None: not trained
    look: str
    options: dict[str, Any]  # of the look
    seed: int
    device: str = "cpu"
    limit: int | None = None  # batches of an epoch and of an evaluation
    code: tuple[str, ...] = ()  # digests of the user's files that bring a part of network, data or recipe
    look_code: tuple[str, ...] = ()  # of the one that brings the look

    @property
    def folder(self) -> Path:
        """``<data>/<model>-<digest>-s<seed>`` below the root."""
        name = self.model["name"] if self.model else self.look
        trained = "" if self.recipe else "-untrained"
        return Path(self.root) / self.data_folder / f"{name}{trained}-{self.digest}-s{self.seed}"

    @property
    def data_folder(self) -> str:
        """The folder of all cells on the same data."""
        return f"{self.kind}-{self.fingerprint[:8]}"

    @property
    def measured(self) -> Path:
        """The file of what the look has measured."""
        versions = [_sha(part)[:8] for part in (self.options, list(self.look_code)) if part]
        return self.folder / ("-".join(["look", self.look, *versions]) + ".json")

    @property
    def trained(self) -> bool:
        """Whether the training is complete, or none is needed."""
        return self.recipe is None or layout.is_complete(self.folder)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.trained and (not self.look or self.measured.exists())

    @property
    def digest(self) -> str:
        """Eight digits of all that decides the numbers but the seed: model, data, recipe, the limit of batches.

        Of a spec it covers what differs from the defaults, in any order; a part with its default options is its kind.
        So it stays the same where a later version adds a field, or gives an option to a part; a default that changes
        is another network under the same digest. It does not cover where the data lie (their fingerprint is in the
        path), the device, or the look.
        """
        data = DataSpec.from_dict({**self.data, "source": DataSpec().source})
        covered = [
            None if self.model is None else essentials(model_spec(self.model)),
            essentials(data),
            None if self.recipe is None else essentials(Recipe.from_dict(self.recipe)),
        ]
        if self.limit is not None:
            covered.append(self.limit)
        if (
            self.data["source"].get("fold") is not None
        ):  # the fingerprint is of all images, whichever are held out
            covered.append({"fold": self.data["source"]["fold"]})
        return _sha([*covered, *self.code])[:8]


def make_cell(
    setting: Setting,
    arm: Arm,
    seed: int,
    *,
    root: Path,
    source: str,
    look: str = "",
    device: str = "cpu",
    limit: int | None = None,
) -> Cell:
    """The cell of an arm and a seed on the data at ``source``. Reads the data, for its fingerprint."""
    from residua.train import recipe as find_recipe  # with numpy, which pages of results do without

    recipe = find_recipe(setting.recipe, **{**setting.changes, **arm.recipe}) if setting.recipe else None
    data = DataSpec.of(arm.source or source).change(
        val_fraction=0.0, validate_on="test" if setting.curves else "val"
    )
    loaded = load(data)
    spec = model_spec(arm.model, **{**loaded.model_changes(), **arm.changes}) if arm.model else None
    plain = [None if item is None else item.to_dict() for item in (spec, data, recipe)]
    return Cell(
        root=str(root),
        model=plain[0],
        data=data.to_dict(),
        kind=loaded.kind,
        fingerprint=loaded.identity["fingerprint"]["sha256"],
        recipe=plain[2],
        look=look,
        options=dict(arm.options),
        seed=seed,
        device=device,
        limit=limit,
        code=tuple(file.digest for file in files_behind(plain)),
        look_code=tuple(file.digest for file in files_behind(look)),
    )


@lru_cache(maxsize=8)  # the folds of the digits, and another source or two
def load(spec: DataSpec) -> Any:
    """The data of a spec, kept: the cells of a grid share it."""
    from residua.data import load_data  # with torch, which pages of results do without

    return load_data(spec)


def essentials(spec: Spec) -> dict[str, Any]:
    """The fields of a spec that differ from their defaults, as plain values."""
    required = spec.required()
    values = {name: getattr(spec, name) for name in spec.fields()}
    return {
        name: _plain(value)
        for name, value in values.items()
        if name in required or value != spec.default(name)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, PartSpec):
        options = essentials(value)
        return {"kind": value.kind, **options} if options else value.kind
    if isinstance(value, Spec):
        return essentials(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _sha(value: Mapping[str, Any] | list[Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
