"""Exported programs that may come from anybody: what torch would run while reading one is refused before it reads.

``torch.export.load`` unpickles (weights, constants, example inputs), loads compiled libraries, calls whatever function
of torch a node names, and evaluates texts as Python: sizes (through sympy), guards, types in a tree. None of that is
needed for a network. So an archive holds exactly what ``bare`` leaves: JSON, and tensors as bytes. What is checked is
what is read: the archive is written anew from the members that were looked at.
"""

from __future__ import annotations

import copy
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch.export import ExportedProgram

from residua.errors import ResiduaError

_MEMBERS = re.compile(
    r"archive_format|archive_version|byteorder|\.data/(version|serialization_id)|extra/labels\.json"
    r"|models/model\.json|data/(weights/model_weights|constants/model_constants)_config\.json"
    r"|data/(weights/weight|constants/tensor)_\d+|data/sample_inputs/model\.pt"
)
_EMPTY = re.compile(r"data/sample_inputs/model\.pt")  # example inputs would be unpickled
_MOST = 8 << 30  # bytes of all members
_MOST_JSON = 256 << 20
# operations on tensors alone, and arithmetic of sizes
_TARGETS = re.compile(
    r"torch\.ops\.aten\.[a-z0-9_]+\.[A-Za-z0-9_]+|torch\.sym_(max|min)|torch\.ops\.higher_order\.wrap_with_set_grad_enabled"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pow|getitem|eq|ne|lt|le|gt|ge)|math\.(ceil|floor|trunc)"
)
_FILES = ("from_file", "save", "load")  # what of aten touches a disk
# arithmetic of sizes as sympy prints it: no dot, no bracket, no other name and no other text
_SIZE = re.compile(
    r"(Symbol\('[su]\d+'(, (integer|positive|nonnegative)=(True|False))*\)|[su]?\d+|Integer|Add|Mul|Pow"
    r"|FloorDiv|CleanDiv|CeilDiv|PythonMod|Mod|Max|Min|[-+*/%(), ])+"
)
# arguments that are text
_WORDS = {"none", "tanh", "floor", "trunc", "mean", "sum", "nearest", "bilinear", "xy", "ij"}
_LEAF = {"type": None, "context": None, "children_spec": []}


def bare(program: ExportedProgram) -> ExportedProgram:
    """A copy without what a network does not need: example inputs, guards, traces of its making."""
    program = copy.copy(program)
    program._graph_module = copy.deepcopy(program.graph_module)
    program._example_inputs = None
    program._guards_code = []
    for node in program.graph.nodes:
        for name in ("nn_module_stack", "source_fn_stack", "stack_trace", "torch_fn", "from_node", "custom"):
            node.meta.pop(name, None)
    return program


def checked_archive(path: Path, outputs: int) -> io.BytesIO:
    """The archive at ``path``, if reading it runs nothing. Raises ResiduaError in one line that says what would."""
    try:
        members = _members(path)
        _check_weights(members)
        _check_program(json.loads(members["models/model.json"]), outputs)
    except _Refused as error:
        raise ResiduaError(f"{path} is refused: {error}") from error
    except (
        OSError,
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        raise ResiduaError(f"{path} is no readable exported program: {error}") from error
    except (EOFError, RecursionError, NotImplementedError, RuntimeError, MemoryError) as error:
        raise ResiduaError(f"{path} is no readable exported program: {type(error).__name__}") from error
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for name, data in members.items():
            file.writestr(f"model/{name}", data)
    archive.seek(0)
    return archive


class _Refused(Exception):
    """What reading a file would run."""


def _members(path: Path) -> dict[str, bytes]:
    """The files in an archive, by name below its one folder."""
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(path) as file:
        entries = file.infolist()
        if sum(entry.file_size for entry in entries) > _MOST:
            raise _Refused(f"it claims more than {_MOST:,} bytes")
        for entry in entries:
            name = entry.filename.partition("/")[2]
            if not _MEMBERS.fullmatch(name) or name in found:
                raise _Refused(f"it holds {entry.filename[:80]!r}, which no network needs")
            if name.endswith(".json") and entry.file_size > _MOST_JSON:
                raise _Refused(f"{name} claims {entry.file_size:,} bytes")
            found[name] = file.read(entry)
            if _EMPTY.fullmatch(name) and found[name]:
                raise _Refused(f"{name} would be unpickled")
    return found


def _check_weights(members: dict[str, bytes]) -> None:
    for name in ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json"):
        for tensor, about in json.loads(members[name])["config"].items():
            if about["use_pickle"] is not False:
                raise _Refused(f"{tensor} would be unpickled")
            if not re.fullmatch(r"(weight|tensor)_\d+", about["path_name"]):
                raise _Refused(f"{tensor} is looked for at {about['path_name'][:80]!r}")


def _check_program(program: dict[str, Any], outputs: int) -> None:
    """Everything in ``model.json`` that torch would evaluate, call or import."""
    graph = program["graph_module"]
    if program.get("guards_code"):
        raise _Refused("it has guards, which would be run as Python")
    if graph.get("treespec_namedtuple_fields") or graph["graph"].get("custom_obj_values"):
        raise _Refused("it holds objects of other classes")
    for call in graph["module_call_graph"]:
        if call["signature"] is not None:
            _check_tree(call["signature"], outputs)
    for symbol in program["range_constraints"]:
        _check_size(symbol)
    for node in graph["graph"]["nodes"]:
        if node.get("metadata"):
            raise _Refused("its nodes carry names, which would be looked up")
    for key, value in _walk(program):
        if key == "target" and (not _TARGETS.fullmatch(str(value)) or any(word in value for word in _FILES)):
            raise _Refused(f"it would call {str(value)[:80]}")
        if key == "expr_str":
            _check_size(str(value))
        if key == "as_string" and value not in _WORDS:
            raise _Refused(f"it passes the text {str(value)[:80]!r}")
        if key in ("as_custom_obj", "as_operator", "as_strings", "as_graph"):
            raise _Refused(f"it passes an argument {key}")


def _check_size(text: str) -> None:
    if not _SIZE.fullmatch(text):
        raise _Refused(f"{text[:80]!r} would be run as Python")


def _check_tree(signature: dict[str, Any], outputs: int) -> None:
    """One tensor goes in, a tuple of tensors comes out; another type would be looked up by its name."""
    images = _tuple(_LEAF)
    nothing = {"type": "builtins.dict", "context": "[]", "children_spec": []}
    for name, wanted in (("in_spec", _tuple(images, nothing)), ("out_spec", _tuple(*[_LEAF] * outputs))):
        if json.loads(signature[name]) != [1, wanted]:
            raise _Refused(f"its {name} is not that of a network of images")


def _tuple(*inside: dict[str, Any]) -> dict[str, Any]:
    return {"type": "builtins.tuple", "context": "null", "children_spec": list(inside)}


def _walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key of every table, with its value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)
