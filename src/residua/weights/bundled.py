"""The trained network that comes with the package: fine-tuning, serving and analysis need no network connection.

``cifar_resnet20.safetensors`` is what ``scripts/make_bundled.py`` makes of a finished run, whose figures are committed
(``benchmarks/results/bundled``); ``cifar_resnet20.txt`` says what it was trained on. Imports no torch.
"""

from __future__ import annotations

from pathlib import Path

from residua.errors import ResiduaError, UsageError

NAME = "bundled"
NETWORK = "cifar_resnet20"
FILE = Path(__file__).with_name(f"{NETWORK}.safetensors")
ABOUT = FILE.with_suffix(".txt")


def is_bundled(source: str | Path) -> bool:
    """Whether a source is ``bundled`` or ``bundled:NETWORK``, and no file or folder of such a name."""
    return str(source).partition(":")[0] == NAME and not Path(source).exists()


def bundled_file(name: str = NAME) -> Path:
    """The weight file that ``bundled`` or ``bundled:cifar_resnet20`` means.

    Raises UsageError for another network, ResiduaError if the package was installed without the file.
    """
    if name not in (NAME, f"{NAME}:{NETWORK}"):
        raise UsageError(f"{name!r}: the network that comes with the package is {NAME}:{NETWORK}")
    if not FILE.is_file():
        raise ResiduaError(
            f"this installation lacks {FILE.name}, which comes with the package: install it again"
        )
    return FILE
