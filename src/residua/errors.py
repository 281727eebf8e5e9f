"""The two ways residua says no: each is one line that says what is wrong, where, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ResiduaError(Exception):
    """Something failed (a file, the data, the machine). The command line exits with code 1."""

    exit_code = 1


class UsageError(ResiduaError, ValueError):
    """The caller asked for something that cannot be (a name, a value, a flag). Exit code 2."""

    exit_code = 2


def nearest(name: str, known: Iterable[str]) -> str:
    """A suffix for an error message: ``"; did you mean 'resnet50'?"``, or what is known if nothing is near."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(repr(c) for c in close)}?"
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return f"; known: {shown}" if known else "; there are none"
