"""What is compared: a name, a spec's file, or a user's own file with the name of what it registers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.errors import ResiduaError, UsageError, nearest
from residua.files import read_json
from residua.registry import families, model_spec
from residua.spec import ModelSpec, read_toml
from residua.user_files import UserFile

_USER_FILE = re.compile(r"(?P<path>.+\.py)(?::(?P<name>[^:/\\]*))?")


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A network of a comparison; ``label`` is what tables, figures and folders call it."""

    label: str
    spec: ModelSpec
    file: UserFile | None = None


def contenders(a: str, b: str) -> tuple[Contender, Contender]:
    """The two networks of a comparison. Raises UsageError for names, files and specs that are none, or the same twice.

    What the file before a colon registers is known to the name after it alone: the other network never depends on
    it, unless its own name stands after the same file. The name of a unit means the other network with that unit.
    """
    texts = (a, b)
    in_files = {i: match for i, text in enumerate(texts) if (match := _USER_FILE.fullmatch(text))}
    known = {i: _known(text) for i, text in enumerate(texts) if i not in in_files}
    units: dict[int, tuple[str, UserFile]] = {}
    for i, match in in_files.items():
        file = UserFile.read(match["path"])
        name, what = _chosen(file, match["name"] or "", _offers(file))
        if what == "unit":
            units[i] = name, file
        else:
            spec = what if isinstance(what, ModelSpec) else model_spec(name)
            known[i] = Contender(label=_slug(name), spec=spec, file=file)
    if len(units) == 2:
        raise UsageError(
            f"{a} and {b} are both units: one of the two must be a network, such as cifar_resnet20"
        )
    for i, (unit, file) in units.items():
        known[i] = _with_unit(known[1 - i], unit, file)
    one, other = known[0], known[1]
    if _bare(one.spec) == _bare(other.spec):
        raise UsageError(f"{a} and {b} are the same network: there is nothing to compare")
    if one.label == other.label:
        other = Contender(label=f"{other.label}-b", spec=other.spec, file=other.file)
    return one, other


def _known(text: str) -> Contender:
    """A registered name, or the spec in a JSON or TOML file."""
    path = Path(text)
    if path.suffix not in (".json", ".toml"):
        return Contender(label=_slug(text), spec=model_spec(text))
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    try:
        spec = _spec(read_toml(path) if path.suffix == ".toml" else read_json(path))
    except ResiduaError as error:
        raise UsageError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error
    return Contender(label=_slug(path.stem if spec.name == "custom" else spec.name), spec=spec)


def _spec(values: Any) -> ModelSpec:
    """A full spec with its family, or a registered name with changes; both also as the table ``model``."""
    if isinstance(values, dict) and isinstance(values.get("model"), dict):
        values = values["model"]
    if not isinstance(values, dict):
        values = {}
    if "family" not in values and isinstance(values.get("name"), str):
        return model_spec(values["name"], **{key: value for key, value in values.items() if key != "name"})
    return model_spec(values)


def _offers(file: UserFile) -> dict[str, ModelSpec | str]:
    """What a file has to compare by name: the units and networks that it registers, and its specs."""
    brought = file.run()
    units = sorted(kind for slot, kind in brought.parts if slot == "unit")
    networks = [
        name
        for slot, kind in sorted(brought.parts)
        if slot == "model family"
        for name in families()[kind].named
    ]
    specs = {name: value for name, value in brought.values.items() if isinstance(value, ModelSpec)}
    return {**dict.fromkeys(units, "unit"), **dict.fromkeys(networks, "network"), **specs}


def _chosen(file: UserFile, name: str, offered: dict[str, ModelSpec | str]) -> tuple[str, ModelSpec | str]:
    if not offered:
        raise UsageError(f"{file.name} registers no unit and no network (CONTRIBUTING.md shows how)")
    first = next(iter(offered))
    if not name and len(offered) > 1:
        raise UsageError(f"{file.name} has {', '.join(offered)}: say which, as in {file.name}:{first}")
    name = name or first
    if name in offered:
        return name, offered[name]
    try:
        return name, model_spec(
            name
        )  # a pattern of a family that it registers, or a registered name beside it
    except UsageError:
        raise UsageError(f"{file.name} has no {name!r}{nearest(name, offered)}") from None


def _with_unit(other: Contender, unit: str, file: UserFile) -> Contender:
    if "unit" not in other.spec.fields():
        raise UsageError(
            f"{unit!r} is a unit, and {other.label} has none to replace: it is a {other.spec.family}"
        )
    return Contender(label=_slug(f"{other.label}-{unit}"), spec=other.spec.change(unit=unit), file=file)


def _bare(spec: ModelSpec) -> ModelSpec:
    return spec.change(name="custom")


def _slug(text: str) -> str:
    """A name that can be a folder's."""
    return re.sub(r"[^\w.+-]+", "_", text).strip("._-") or "network"
