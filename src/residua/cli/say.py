"""What a verb says: results on stdout, notes and complaints on stderr; the terminal obeys no name in them."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from residua.description.columns import columns
from residua.errors import ResiduaError
from residua.names import shown

_NO_MEMORY = ("not enough memory", "out of memory", "can't allocate memory")  # as torch says it


def say(*lines: object) -> None:
    """Print the lines of a result; a line end in a name makes no line of its own."""
    print("\n".join(map(shown, lines)), flush=True)


def say_in(colour: str, *lines: object) -> None:
    """``say``, in a colour where a terminal shows it and nobody has asked for none (https://no-color.org)."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        say(*lines)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for line in lines:
        console.print(Text(shown(line), style=colour), soft_wrap=True)


def say_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Print a table: fitted to a terminal, in plain aligned lines elsewhere; columns in ``right`` are flush right."""
    printed = [[shown(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        print("\n".join(columns([head, *printed], right=right)), flush=True)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text  # plain text: brackets in a name are no markup

    table = Table(box=None)
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number in right else "left")
    for row in printed:
        table.add_row(*map(Text, row))
    Console().print(table)


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
