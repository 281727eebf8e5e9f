"""Download a file that is known by its checksum: resumed, verified, renamed into place only when whole."""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from residua.errors import ResiduaError, UsageError
from residua.files import locked

CHUNK = 1 << 18
TRIES = 4  # of a download that is cut while it still gains bytes
SECONDS = 30  # of silence until a connection counts as cut
PATIENCE = 600  # seconds to wait for another process that downloads the same file

OFFLINE = "RESIDUA_OFFLINE"  # environment, and what --offline sets: nothing is downloaded

Progress = Callable[[int, int | None], None]  # bytes so far, and of the whole file if the server says so


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A file on the web, the checksum that its publisher states (or its beginning), and words for messages."""

    url: str
    algorithm: Literal["md5", "sha256"]
    digest: str
    official: str  # what it is, such as "the official cifar-10-python.tar.gz"
    largest: int  # bytes; no honest server sends more
    elsewhere: str  # what else could be done, such as "name another address with --mirror URL"


def offline() -> bool:
    """Whether the user has said that nothing is to be downloaded."""
    return os.environ.get(OFFLINE, "") not in ("", "0")


def web_address(address: str, what: str) -> str:
    """The address. Raises UsageError, which calls it ``what``, if no web server can be asked for it."""
    try:
        parts = urllib.parse.urlsplit(address)
        named = bool((parts.hostname or "").encode("idna")) and parts.port != 0
        good = named and parts.scheme in ("http", "https")
    except ValueError:  # brackets that stay open, ports that are no number, names that no server can have
        good = False
    if not (good and address.isascii() and address.isprintable() and " " not in address):
        raise UsageError(f"{what} is an http:// or https:// address, not {address!r}")
    return address


def download(remote: Remote, target: Path, progress: Progress = lambda done, total: None) -> Path:
    """The file at ``target``, downloaded if it is not there; a download that was cut goes on where it ended.

    What is on its way is ``<target>.part``; a second process that wants the same file waits for the first. Returns
    ``target``.

    Raises ResiduaError if the file cannot be downloaded (saying what else can be done; offline nothing is tried), has
    another checksum, or if a different file stands in its place.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        if not target.exists():
            if offline():
                raise ResiduaError(
                    f"offline: {remote.official} is not at {target}: bring it from elsewhere and put it there, or "
                    f"leave out --offline ({OFFLINE})"
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            with locked(target, PATIENCE):
                if not target.exists():
                    _fetch(remote, part, progress, target)
                    return target
        _verify(target, remote, f"remove {target}, then fetch again")
    except OSError as error:
        raise ResiduaError(f"cannot write {target}: {error.strerror or error}") from error
    return target


class ProgressLine:
    """Progress on stderr: one line that is rewritten on a terminal, one line a tenth elsewhere."""

    def __init__(self) -> None:
        self._said = -1

    def __call__(self, done: int, total: int | None) -> None:
        """Say how far the download is, if that has changed enough."""
        step = int(100 * done / total) if total else done >> 20
        terminal = sys.stderr.isatty()
        if step == self._said or (not terminal and total and step // 10 == self._said // 10):
            return
        self._said = step
        text = f"{done / 1e6:.1f} of {total / 1e6:.1f} MB ({step} %)" if total else f"{done / 1e6:.1f} MB"
        end = "\r" if terminal and done != total else "\n"
        print(text, file=sys.stderr, end=end, flush=True)


def _fetch(remote: Remote, part: Path, progress: Progress, target: Path) -> None:
    _complete(remote, part, progress, target)
    try:
        _verify(part, remote, f"the download was removed; fetch again, or {remote.elsewhere}")
    except ResiduaError:
        part.unlink()
        raise
    part.replace(target)


def _verify(path: Path, remote: Remote, advice: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(
            file, lambda: hashlib.new(remote.algorithm, usedforsecurity=False)
        ).hexdigest()
    if not found.startswith(remote.digest):
        raise ResiduaError(
            f"{path} is not {remote.official}: its {remote.algorithm} is {found}, not {remote.digest}; {advice}"
        )


def _complete(remote: Remote, part: Path, progress: Progress, target: Path) -> None:
    """Complete ``part``; a cut connection is taken up again as long as each try brings something."""
    for attempt in range(TRIES):
        before = part.stat().st_size if part.exists() else 0
        try:
            if _transfer(remote, part, before, progress):
                return
            reason = "the connection was cut"
        except (
            urllib.error.URLError,
            http.client.HTTPException,
            TimeoutError,
            ConnectionError,
            ssl.SSLError,
            ValueError,  # of an address that the server sends us on to
        ) as error:
            reason = str(getattr(error, "reason", None) or error) or type(error).__name__
            if isinstance(error, urllib.error.HTTPError):
                reason = f"the server answers {error.code} {error.reason}"
        done = part.stat().st_size if part.exists() else 0
        if done == before or attempt == TRIES - 1:
            begun = f"; {done} bytes are kept, the same command continues" if done else ""
            raise ResiduaError(
                f"cannot download {remote.url}: {reason}{begun}. Without a network: bring {target.name} from "
                f"elsewhere and put it at {target}, or {remote.elsewhere}"
            )


def _transfer(remote: Remote, part: Path, have: int, progress: Progress) -> bool:
    """Append to ``part`` what it lacks, or write it anew if the server does not resume; whether it is whole."""
    request = urllib.request.Request(remote.url, headers={"Range": f"bytes={have}-"} if have else {})
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
                if done > remote.largest:
                    raise ResiduaError(
                        f"{remote.url} sends more than {remote.official} can have: it is not it"
                    )
                file.write(chunk)
                progress(done, total)
            file.flush()
            os.fsync(file.fileno())
    return total is None or done == total
