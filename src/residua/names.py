"""Names from outside (files, runs, classes): what the system takes, a terminal is shown, a shell takes back."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
from pathlib import Path

from residua.errors import UsageError

_LONGEST = 255  # bytes of a name, in any file system
_DEEPEST = "checkpoints/.last.safetensors.residua-lock"  # the longest path below a folder that residua writes

# Control characters, line ends of any kind, and what turns the direction of writing; and bytes that were no text.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(text: object) -> str:
    """``text`` with everything a terminal would obey, or not show, as JSON escapes it: ``\\u001b`` for ESC.

    JSON stays the same JSON by it.
    """
    return _UNSEEN.sub(lambda match: json.dumps(match[0])[1:-1], str(text))


def command(*words: str | Path) -> str:
    """A command line that a POSIX shell takes back to these very words; a path is never taken for a flag."""
    return " ".join(
        _quoted(f"./{word}" if isinstance(word, Path) and str(word).startswith("-") else str(word))
        for word in words
    )


def _quoted(word: str) -> str:
    if not _UNSEEN.search(word):
        return shlex.quote(word)
    plain = (
        chr(byte) if 32 <= byte < 127 and chr(byte) not in "'\\" else f"\\{byte:03o}" for byte in _bytes(word)
    )
    return f"$'{''.join(plain)}'"


def _bytes(word: str) -> bytes:
    try:
        return os.fsencode(word)
    except UnicodeEncodeError:  # no file's name: a lone surrogate that stands for no byte
        return word.encode(errors="replace")


def near(path: Path) -> Path:
    """``path`` as seen from the working directory, where it lies below it: no page need name a home folder."""
    try:
        return path.relative_to(Path.cwd())
    except (OSError, ValueError):
        return path


def check_name(path: Path, flag: str) -> None:
    """Refuse a path that no folder can be made at, or none that JSON can name, before work goes into it.

    Raises UsageError; ``flag`` is what the path was given with.
    """
    try:
        text = str(path).encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{flag} takes a name in UTF-8, not {shown(path)}") from error
    if b"\0" in text:
        raise UsageError(f"{flag} takes a name without zero bytes, not {shown(path)}")
    if str(path) == path.anchor:
        raise UsageError(f"{flag} takes the name of a folder, not {path}")
    for part in path.parts:
        if len(part.encode()) > _LONGEST:
            raise UsageError(
                f"{flag}: {part[:40]!r}... has {len(part.encode())} bytes, a name at most {_LONGEST}"
            )
    try:
        (path / _DEEPEST).lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UsageError(
                f"{flag}: a path of {len(text)} bytes is longer than the system takes"
            ) from error
