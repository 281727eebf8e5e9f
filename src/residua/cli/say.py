"""What a verb says: results on stdout, notes and complaints on stderr; the terminal obeys no name in them."""

from __future__ import annotations

import errno
import json
import sys
from typing import Any

from residua.errors import ResiduaError
from residua.names import shown

_NO_MEMORY = ("not enough memory", "out of memory", "can't allocate memory")  # as torch says it


def say(*lines: object) -> None:
    """Print the lines of a result; a line end in a name makes no line of its own."""
    print("\n".join(map(shown, lines)), flush=True)


def say_json(value: dict[str, Any]) -> None:
    """Print a result as one JSON object; its strings are exact."""
    print(shown(json.dumps(value, ensure_ascii=False)))


def note(text: object) -> None:
    """Tell what is worth knowing."""
    print(f"note: {shown(text)}", file=sys.stderr)


def complain(text: object) -> None:
    """Tell what failed, without ending the command."""
    print(f"residua: {shown(one_line(text))}", file=sys.stderr)


def one_line(text: object) -> str:
    """The text with its line ends as spaces; other spaces may belong to a name."""
    return " ".join(line.strip() for line in str(text).splitlines())


def reason(error: BaseException) -> str:
    """What went wrong in one line, also where nobody has thought of it: a fault of the machine, or of residua."""
    if isinstance(error, ResiduaError):
        return str(error)
    text = one_line(error)
    if isinstance(error, MemoryError) or any(phrase in text for phrase in _NO_MEMORY):
        return "not enough memory: a smaller --batch-size or a smaller network needs less"
    where = "(RESIDUA_TRACEBACK=1 shows where)"
    if isinstance(error, OSError) and error.strerror:
        place = "" if error.filename is None else f"{error.filename}: "
        if error.errno == errno.ENAMETOOLONG:
            return f"{place[:40]}...: a name is longer than the system takes"
        return f"{place}{error.strerror} {where}"
    return f"{type(error).__name__}: {text[:300]} {where}"
