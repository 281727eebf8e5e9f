"""What is compared: a name, a spec's file, or a user's own file with the name of what it registers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.errors import ResiduaError, UsageError, nearest
from residua.files import read_json
from residua.registry import model_spec
from residua.spec import ModelSpec, read_toml
from residua.user_files import OwnFile

_OWN = re.compile(r"(?P<path>.+\.py)(?::(?P<name>[^:/\\]*))?")


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A network of a comparison; ``label`` is what tables, figures and folders call it."""

    label: str
    spec: ModelSpec
    file: OwnFile | None = None


def contenders(a: str, b: str) -> tuple[Contender, Contender]:
    """The two networks of a comparison. Raises UsageError for names, files and specs that are none, or the same twice.

    What a user's file registers is known to the names after its colon alone: the other network never depends on it,
    unless its own name stands after the same file. The name of a unit means the other network with that unit.
    """
    texts = (a, b)
    own = {i for i, text in enumerate(texts) if _OWN.fullmatch(text)}
    found: dict[int, Contender] = {i: _known(text) for i, text in enumerate(texts) if i not in own}
    files, offers = _files([texts[i] for i in sorted(own)])
    units: dict[int, str] = {}
    for i in sorted(own):
        file, name = files[texts[i]]
        name, what = _chosen(file, name, offers[file])
        if what == "unit":
            units[i] = name
        else:
            spec = what if isinstance(what, ModelSpec) else model_spec(name)
            found[i] = Contender(label=_slug(name), spec=spec, file=file)
    for i, unit in units.items():
        if 1 - i not in found:
            raise UsageError(
                f"{a} and {b} are both units: one of the two must be a network, such as cifar_resnet20"
            )
        found[i] = _with_unit(found[1 - i], unit, files[texts[i]][0])
    one, other = found[0], found[1]
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
        values = read_toml(path) if path.suffix == ".toml" else read_json(path)
        spec = _spec(values)
    except ResiduaError as error:
        raise UsageError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error
    return Contender(label=_slug(path.stem if spec.name == "custom" else spec.name), spec=spec)


def _spec(values: Any) -> ModelSpec:
    """A full spec with its family, or a registered name with changes; both also as the table ``model``."""
    if isinstance(values, dict) and isinstance(values.get("model"), dict):
        values = values["model"]
    if isinstance(values, dict) and "family" not in values and isinstance(values.get("name"), str):
        changes = {key: value for key, value in values.items() if key != "name"}
        return model_spec(values["name"], **changes)
    return model_spec(values) if isinstance(values, dict) else model_spec({})


def _files(texts: list[str]) -> tuple[dict[str, tuple[OwnFile, str]], dict[OwnFile, dict[str, Any]]]:
    """Each text's file and name, and what each file offers: a file is run once."""
    files: dict[str, tuple[OwnFile, str]] = {}
    offers: dict[OwnFile, dict[str, Any]] = {}
    for text in texts:
        match = _OWN.fullmatch(text)
        assert match is not None
        file = OwnFile.read(Path(match["path"]))
        files[text] = (file, match["name"] or "")
        if file not in offers:
            offers[file] = file.run()
    return files, offers


def _chosen(file: OwnFile, name: str, offered: dict[str, Any]) -> tuple[str, ModelSpec | str]:
    if not offered:
        raise UsageError(
            f"{file.name} registers no unit and no network (CONTRIBUTING.md shows how: register_unit, register)"
        )
    if not name and len(offered) == 1:
        return next(iter(offered.items()))
    if not name:
        raise UsageError(
            f"{file.name} has {', '.join(offered)}: say which, as in {file.name}:{next(iter(offered))}"
        )
    if name in offered:
        return name, offered[name]
    try:
        return name, model_spec(
            name
        )  # a pattern of a family that it registers, or a registered name beside it
    except UsageError:
        raise UsageError(f"{file.name} has no {name!r}{nearest(name, offered)}") from None


def _with_unit(other: Contender, unit: str, file: OwnFile) -> Contender:
    if not hasattr(other.spec, "unit"):
        raise UsageError(
            f"{unit!r} is a unit, and {other.label} has none to replace: it is a {other.spec.family}"
        )
    return Contender(label=_slug(f"{other.label}-{unit}"), spec=other.spec.change(unit=unit), file=file)


def _bare(spec: ModelSpec) -> ModelSpec:
    return spec.change(name="custom")


def _slug(text: str) -> str:
    """A name that can be a folder's."""
    return re.sub(r"[^\w.+-]+", "_", text).strip("._-") or "network"
