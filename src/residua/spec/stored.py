"""What stands in a file, checked: what is wrong with it is the file's fault, and one line that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from residua.errors import ResiduaError, UsageError
from residua.files import read_json
from residua.spec.check import check


def read_stored(path: Path, hint: Any) -> Any:
    """The value of a JSON file, as ``hint`` wants it. Raises ResiduaError that names the file and the place in it."""
    return checked(read_json(path), hint, str(path))


def checked(value: Any, hint: Any, file: str) -> Any:
    """A value that was read from a file, as ``hint`` wants it. Raises ResiduaError as ``read_stored`` does."""
    try:
        return check(value, hint, "")
    except UsageError as error:
        raise ResiduaError(f"{file} is damaged: {error}") from error
