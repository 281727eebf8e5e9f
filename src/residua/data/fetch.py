"""Download the official CIFAR archives: resumed, verified, renamed into place only when whole. Imports no torch."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from residua.download import Progress, Remote, download, web_address
from residua.errors import UsageError, nearest

OFFICIAL = "https://www.cs.toronto.edu/~kriz"
LARGEST = 256 << 20  # bytes; the official archives have 162 to 171 MB


@dataclass(frozen=True)
class Archive:
    """An official archive and the checksum that its page states."""

    file: str
    md5: str


ARCHIVES = {
    ("cifar10", False): Archive("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
    ("cifar10", True): Archive("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),
    ("cifar100", False): Archive("cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),
    ("cifar100", True): Archive("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"),
}


def fetch(
    name: str,
    root: Path,
    *,
    mirror: str | None = None,
    binary: bool = False,
    progress: Progress = lambda done, total: None,
) -> Path:
    """The official archive of ``cifar10`` or ``cifar100`` in the folder ``root``, downloaded if it is not there.

    ``mirror`` is a web address of the archive, or of the folder that holds it. A download that was cut goes on where
    it ended (``<archive>.part``). Returns the archive's path; ``load_data`` reads the archive as it is.

    Raises UsageError for an unknown name or a mirror that is no web address, ResiduaError if the archive cannot be
    downloaded (saying what else can be done), is not the official one, or if a different file stands in its place.
    """
    known = sorted({key for key, _ in ARCHIVES})
    if name not in known:
        raise UsageError(f"there is nothing to fetch for {name!r}{nearest(name, known)}")
    archive = ARCHIVES[name, binary]
    remote = Remote(
        url=_address(mirror or OFFICIAL, archive.file),
        algorithm="md5",
        digest=archive.md5,
        official=f"the official {archive.file}",
        largest=LARGEST,
        elsewhere="name another address with --mirror URL",
    )
    return download(remote, root / archive.file, progress)


def _address(mirror: str, file: str) -> str:
    path = urllib.parse.urlsplit(web_address(mirror, "a mirror")).path
    return mirror if path.endswith(f"/{file}") else f"{mirror.rstrip('/')}/{file}"
