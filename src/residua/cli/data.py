"""``residua data``."""

from __future__ import annotations

import json as json_module
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


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

    path = download(name, root, mirror=mirror, binary=binary, progress=_Shown())
    if json:
        print(json_module.dumps({"schema": 1, "path": str(path)}))
    else:
        print(f"{path}\nnext: residua train {path}")


class _Shown:
    """Progress on stderr: one line that is rewritten on a terminal, one line a tenth elsewhere."""

    def __init__(self) -> None:
        self._said = -1

    def __call__(self, done: int, total: int | None) -> None:
        step = int(100 * done / total) if total else done >> 20
        terminal = sys.stderr.isatty()
        if step == self._said or (not terminal and total and step // 10 == self._said // 10):
            return
        self._said = step
        text = f"{done / 1e6:.1f} of {total / 1e6:.1f} MB ({step} %)" if total else f"{done / 1e6:.1f} MB"
        end = "\r" if terminal and done != total else "\n"
        print(text, file=sys.stderr, end=end, flush=True)
