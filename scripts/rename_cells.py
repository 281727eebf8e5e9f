"""Give cells the names by which this version looks for them: ``python scripts/rename_cells.py [--write] [FOLDER ...]``.

The name of a cell ends in a digest of its specs (``residua.experiments.cell.Cell.digest``). Where a schema changes how
specs are written, the digest changes, and a grid would train again what stands already. This reads the stored specs of
every trained cell below the folders (an ``--out`` of ``residua reproduce`` or ``residua compare``; by default the
committed results), renames the cell, and the mentions of it in every ``result.json``. Without ``--write`` it only says
what it would do. It may be stopped and run again at any time: a cell has either name, and what has its name is left.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from residua.errors import ResiduaError
from residua.experiments.cell import Cell
from residua.files import locked, read_json, write_text
from residua.registry import model_spec
from residua.spec import DataSpec, Recipe

COMMITTED = Path(__file__).resolve().parent.parent / "benchmarks" / "results" / "reproduce"
_NAME = re.compile(r".+-[0-9a-f]{8}-s\d+")


def rename_cells(root: Path, *, write: bool) -> Iterator[str]:
    """Rename the cells below ``root``, if ``write``, and say of each what is done, or why it is not."""
    names: dict[Path, str] = {}
    for folder in sorted(path for path in root.rglob("*-s*") if path.is_dir() and _NAME.fullmatch(path.name)):
        try:
            name = _name(folder)
        except ResiduaError as error:
            yield f"{folder}: left as it is: {error}"
            continue
        except (KeyError, TypeError, AttributeError):
            yield f"{folder}: left as it is: its env.json or data.json is damaged"
            continue
        if folder.with_name(name).exists() and name != folder.name:
            yield f"{folder}: left as it is: {name} stands beside it"
        elif name != folder.name:
            names[folder] = name
    if write:
        _rewrite(root, {folder.name: name for folder, name in names.items()})
    for folder, name in names.items():
        try:
            if write:
                with locked(folder):
                    folder.rename(folder.with_name(name))
        except ResiduaError as error:
            yield f"{folder}: left as it is: {error}"
        else:
            yield f"{folder} -> {name}"


def _name(folder: Path) -> str:
    """What the cell is called by the specs that are stored in it."""
    if not (folder / "spec.json").exists():
        raise ResiduaError("no spec is stored in it, and it is measured again where it is asked for")
    env = read_json(folder / "env.json")
    if env.get("files"):
        raise ResiduaError(f"it was trained with {', '.join(env['files'])}")
    cell = Cell(
        root="",
        model=model_spec(read_json(folder / "spec.json")).to_dict(),
        data=_data(folder).to_dict(),
        kind="",
        fingerprint="",
        recipe=Recipe.from_dict(read_json(folder / "recipe.json")).to_dict(),
        look="",
        options={},
        seed=env["seed"],
        limit=env["limit_batches"],
    )
    return cell.folder.name


def _data(folder: Path) -> DataSpec:
    """The spec of its data; of a cell of which less is kept, the one that every cell has."""
    if (folder / "data.json").exists():
        return DataSpec.from_dict(read_json(folder / "data.json")["spec"])
    measured = (
        read_json(folder / "result.json").get("val_loss") is not None
    )  # without validation images: on the test's
    return DataSpec(val_fraction=0.0, validate_on="test" if measured else "val")


def _rewrite(root: Path, names: dict[str, str]) -> None:
    """Rename the mentions in every result below ``root``, one file at a time."""
    if not names:
        return
    any_name = re.compile("|".join(map(re.escape, names)))
    for path in sorted(root.rglob("result.json")):
        text = path.read_text(encoding="utf-8")
        renamed = any_name.sub(lambda found: names[found[0]], text)
        if renamed != text:
            write_text(path, renamed)


def main(arguments: Sequence[str] | None = None) -> None:
    """Say or do it for every folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path, default=[COMMITTED])
    parser.add_argument("--write", action="store_true", help="do it; without, only say what would be done")
    given = parser.parse_args(arguments)
    lines = [line for folder in given.folders for line in rename_cells(folder, write=given.write)]
    print(*lines, f"{sum(' -> ' in line for line in lines)} cells", sep="\n")


if __name__ == "__main__":
    main()
