"""Parts in a line: ``basic``, ``squeezed(bottleneck(cardinality=32, path_width=4), reduction=8)``."""

from __future__ import annotations

import ast
import re
from typing import Any

from residua.errors import UsageError

_CALL = re.compile(r"([^()]+)(?:\((.*)\))?", re.DOTALL)
_LONGEST = 500  # characters: no part needs more, and Python's parser recurses


def read_shorthand(text: str) -> tuple[str, list[Any], dict[str, Any]]:
    """The kind, the options in order and the options by name. Raises UsageError for what is no shorthand.

    An option is a number, a text in quotes, true, false or none, a list of these, or another part.
    """
    match = _CALL.fullmatch(text.strip())
    if match is None or len(text) > _LONGEST:
        raise UsageError(f"{text[:_LONGEST]!r} is no part: write kind or kind(option=value)")
    kind, options = match[1].strip(), match[2]
    if options is None:
        return kind, [], {}
    try:
        call = ast.parse(f"part({options})", mode="eval").body
        if not isinstance(call, ast.Call) or any(keyword.arg is None for keyword in call.keywords):
            raise ValueError
        values = [_value(node) for node in call.args]
        named = {str(keyword.arg): _value(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{text!r} is no part: write kind or kind(option=value)") from error
    return kind, values, named


_WORDS = {"true": True, "false": False, "none": None}


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):  # a part without options
        return _WORDS.get(node.id.lower(), node.id)
    if isinstance(node, ast.Call):
        return ast.unparse(node)  # read where it is asked for
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item) for item in node.elts]
    return ast.literal_eval(node)
