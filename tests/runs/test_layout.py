"""One room knows the files of a run folder: no other one spells their names."""

import ast
from pathlib import Path

import pytest

import residua
from residua.runs import layout

SOURCE = Path(residua.__file__).parent
NAMES = {*layout.TABLES, *layout.LOGS, layout.WEIGHTS, layout.RESULT, layout.INSPECTION, layout.SAMPLES}
NAMES |= {
    layout.PAGE,
    *(name for path in (layout.LAST, layout.BEST) for name in (path.name, path.as_posix())),
}
# the results of experiments and comparisons are files of their own, which happen to be called the same
OTHERS = {"experiments/store.py": {layout.RESULT}, "compare/question.py": {layout.RESULT}}


def spelled(source: str) -> set[str]:
    """The texts in a module that are names of files."""
    texts = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return {text for text in texts if isinstance(text, str)} & NAMES


@pytest.mark.parametrize("room", sorted(path.name for path in SOURCE.iterdir() if path.name != "runs"))
def test_no_other_room_spells_the_files_of_a_run(room):
    files = (SOURCE / room).rglob("*.py") if (SOURCE / room).is_dir() else [SOURCE / room]
    for path in files:
        name = path.relative_to(SOURCE).as_posix()
        if path.suffix == ".py":
            assert spelled(path.read_text(encoding="utf-8")) <= OTHERS.get(name, set()), name


def test_a_spelled_name_is_found():
    assert spelled('x = folder / "spec.json"') == {"spec.json"}
    assert spelled('x = folder / "checkpoints/last.safetensors"') == {"checkpoints/last.safetensors"}
