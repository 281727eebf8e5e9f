"""TOML files, and the values of ``--set``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from residua.errors import UsageError
from residua.spec.check import check


def read_toml(path: Path, hint: Any = dict[str, Any]) -> Any:
    """Read a TOML file, as ``hint`` wants its table; what is wrong with it is one line that names the file."""
    try:
        return check(tomllib.loads(path.read_text(encoding="utf-8")), hint, "")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:  # syntax, encoding, a number with thousands of digits
        raise UsageError(f"{path} is not valid TOML: {error}") from error


def parse_value(text: str) -> Any:
    """The value of ``--set key=value``: a TOML value if it reads as one, the bare text otherwise."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text
