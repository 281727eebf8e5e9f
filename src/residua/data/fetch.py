"""Download the official CIFAR archives: resumed, verified, renamed into place only when whole. Imports no torch."""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from residua.errors import ResiduaError, UsageError, nearest

OFFICIAL = "https://www.cs.toronto.edu/~kriz"
CHUNK = 1 << 18
LARGEST = 256 << 20  # bytes; the official archives have 162 to 171 MB
TRIES = 4  # of a download that is cut while it still gains bytes
SECONDS = 30  # of silence until a connection counts as cut

Progress = Callable[[int, int | None], None]  # bytes so far, and of the whole file if the server says so


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
    url = _address(mirror or OFFICIAL, archive.file)
    target, part = root / archive.file, root / f"{archive.file}.part"
    try:
        root.mkdir(parents=True, exist_ok=True)
        if target.exists():
            _verify(target, archive, f"remove {target}, then fetch again")
            return target
        _download(url, part, progress, target)
        try:
            _verify(part, archive, "the download was removed; fetch again, or from another --mirror")
        except ResiduaError:
            part.unlink()
            raise
        part.replace(target)
    except OSError as error:
        raise ResiduaError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def _address(mirror: str, file: str) -> str:
    parts = urllib.parse.urlsplit(mirror)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UsageError(f"a mirror is an http:// or https:// address, not {mirror!r}")
    return mirror if parts.path.endswith(f"/{file}") else f"{mirror.rstrip('/')}/{file}"


def _verify(path: Path, archive: Archive, advice: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != archive.md5:
        raise ResiduaError(
            f"{path} is not the official {archive.file} (md5 {found}, official {archive.md5}): {advice}"
        )


def _download(url: str, part: Path, progress: Progress, target: Path) -> None:
    """Complete ``part``; a cut connection is taken up again as long as each try brings something."""
    for attempt in range(TRIES):
        before = part.stat().st_size if part.exists() else 0
        try:
            if _transfer(url, part, before, progress):
                return
            reason = "the connection was cut"
        except (
            urllib.error.URLError,
            http.client.HTTPException,
            TimeoutError,
            ConnectionError,
            ssl.SSLError,
        ) as error:
            reason = str(getattr(error, "reason", None) or error) or type(error).__name__
            if isinstance(error, urllib.error.HTTPError):
                reason = f"the server answers {error.code} {error.reason}"
        done = part.stat().st_size if part.exists() else 0
        if done == before or attempt == TRIES - 1:
            begun = f"; {done} bytes are kept, the same command continues" if done else ""
            raise ResiduaError(
                f"cannot download {url}: {reason}{begun}. Without a network: bring {target.name} from elsewhere and "
                f"put it at {target}, or name another address with --mirror URL"
            )


def _transfer(url: str, part: Path, have: int, progress: Progress) -> bool:
    """Append to ``part`` what it lacks, or write it anew if the server does not resume; whether it is whole."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        error.close()  # nothing is left to send: it was whole, or it was something else; the checksum tells
        return True
    with response:
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise http.client.HTTPException("the server resumes at another place than asked")
        done = have if resumed else 0
        length = response.headers.get("Content-Length", "")
        total = done + int(length) if length.isdecimal() else None
        with part.open("ab" if resumed else "wb") as file:
            while chunk := response.read(CHUNK):
                done += len(chunk)
                if done > LARGEST:
                    raise ResiduaError(f"{url} sends more than any CIFAR archive has: it is not one")
                file.write(chunk)
                progress(done, total)
            file.flush()
            os.fsync(file.fileno())
    return total is None or done == total
