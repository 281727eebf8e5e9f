"""``residua data``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from residua.cli.say import say, say_json
from residua.names import command


def fetch(
    name: str,
    /,
    *,
    root: Path = Path("data"),
    mirror: str | None = None,
    binary: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Download CIFAR-10 or CIFAR-100: resumed where it was cut, and verified. Training reads the archive as it is.

    Args:
        name: cifar10 or cifar100.
        root: the folder to put the archive in.
        mirror: web address of the archive, or of the folder that holds it.
        binary: the binary layout instead of the pickled one.
        json: print one JSON object.

    """
    from residua.data.fetch import fetch as download
    from residua.download import ProgressLine

    path = download(name, root, mirror=mirror, binary=binary, progress=ProgressLine())
    if json:
        say_json({"schema": 1, "path": str(path)})
    else:
        say(path, f"next: {command('residua', 'train', path)}")
