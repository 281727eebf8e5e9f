"""``residua completion``."""

from __future__ import annotations

from typing import Literal


def completion(shell: Literal["bash", "zsh", "fish", "powershell"], /) -> None:
    """Print the script that lets a shell complete verbs, flags and their values; nothing is installed.

    Args:
        shell: bash, zsh, fish or powershell.

    """
    from residua.cli.main import make_app

    print(make_app().generate_completion(prog_name="residua", shell=shell))
