"""What a training is told: a TOML file, then flags, then --set; later ones win. Tables: model, data, recipe, run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from residua.errors import UsageError, nearest
from residua.spec import Spec, parse_value, read_toml


@dataclass(frozen=True, kw_only=True)
class RunSettings(Spec):
    """The table ``run``: what belongs to no spec of the run folder. None leaves the choice to ``fit``."""

    seed: int | None = None
    weights: str | None = None
    device: str | None = None
    precision: str | None = None
    threads: int | None = None
    workers: int | None = None
    compile: str | None = None
    memory: str | None = None
    channels_last: bool | None = None
    cuda_graphs: bool | None = None
    tf32: bool | None = None
    tune: bool | None = None
    limit_batches: int | None = None
    run_dir: str | None = None
    track: str | None = None

    @classmethod
    def title(cls) -> str:
        """How messages call it: as the table."""
        return "run"


@dataclass
class Settings:
    """The tables of a configuration file; specs check what stands in those of theirs."""

    model: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)


TABLES = tuple(each.name for each in fields(Settings))


def read_settings(
    config: Path | None, flags: Mapping[str, Mapping[str, Any]], assignments: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """One dictionary a table. Raises UsageError for unknown tables and keys, with the nearest known one."""
    settings = asdict(Settings() if config is None else read_toml(config, Settings))
    for table, values in flags.items():
        settings[table] |= {key: value for key, value in values.items() if value is not None}
    for assignment in assignments:
        table, key, value = parse_assignment(assignment)
        settings[table][key] = value
    recipe = settings["recipe"]
    if isinstance(recipe.get("recompute"), bool) and recipe.pop("recompute"):  # its name in version 0.1
        settings["run"].setdefault("memory", "low")
    run = RunSettings.from_dict(settings["run"]).to_dict()
    return settings | {"run": {key: value for key, value in run.items() if value is not None}}


def parse_assignment(text: str, default_table: str | None = None) -> tuple[str, str, Any]:
    """``"model.shortcut=C"`` to ``("model", "shortcut", "C")``; ``default_table`` for a key without a table."""
    name, equals, value = text.partition("=")
    table, dot, key = name.strip().partition(".")
    if not dot and default_table:
        table, dot, key = default_table, ".", table
    if not equals or not dot or not key:
        raise UsageError(f"--set takes TABLE.KEY=VALUE, such as model.shortcut=C, not {text!r}")
    if table not in TABLES:
        raise UsageError(f"--set: table {table!r} is unknown{nearest(table, TABLES)}")
    return table, key, parse_value(value.strip())
