import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from residua.data.fetch import ARCHIVES, Archive, fetch
from residua.errors import ResiduaError, UsageError

CONTENT = bytes(range(256)) * 4000
FILE = "cifar-10-python.tar.gz"


class Server(ThreadingHTTPServer):
    """Serves CONTENT at /<FILE>; tests change what it does."""

    content = CONTENT
    ranges = True  # honours Range
    cut_after: int | None = None  # bytes of a body, then the connection ends
    wrong_place = False  # resumes elsewhere than asked
    moved_to: str | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server  # type: ignore[assignment]

    def do_GET(self) -> None:
        server, asked = self.server, self.headers.get("Range")
        server.asked.append(asked)
        if server.moved_to:
            self.send_response(302)
            self.send_header("Location", server.moved_to)
            self.end_headers()
            return
        if not self.path.endswith(FILE):
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
        if start >= len(server.content) and start:
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            place = start - 7 if server.wrong_place else start
            self.send_header(
                "Content-Range", f"bytes {place}-{len(server.content) - 1}/{len(server.content)}"
            )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cut_after])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setitem(ARCHIVES, ("cifar10", False), Archive(FILE, hashlib.md5(CONTENT).hexdigest()))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_an_archive_is_downloaded_with_progress_and_reused(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    path = fetch(
        "cifar10",
        tmp_path / "new",
        mirror=server.url,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert path == tmp_path / "new" / FILE and path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == [FILE]
    assert seen[-1] == (len(CONTENT), len(CONTENT)) and seen == sorted(seen) and len(seen) > 2
    assert fetch("cifar10", tmp_path / "new", mirror=server.url) == path and len(server.asked) == 1


def test_a_mirror_may_name_the_file_itself(server: Server, tmp_path: Path) -> None:
    assert fetch("cifar10", tmp_path, mirror=f"{server.url}/deep/{FILE}").read_bytes() == CONTENT
    assert fetch("cifar10", tmp_path / "b", mirror=f"{server.url}/deep/").read_bytes() == CONTENT


@pytest.mark.parametrize("ranges", [True, False])
def test_a_part_is_resumed_or_begun_again(ranges: bool, server: Server, tmp_path: Path) -> None:
    server.ranges = ranges
    (tmp_path / f"{FILE}.part").write_bytes(CONTENT[:1000] if ranges else b"something else")
    assert fetch("cifar10", tmp_path, mirror=server.url).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-" if ranges else "bytes=14-"]


def test_a_cut_connection_is_taken_up_again(server: Server, tmp_path: Path) -> None:
    server.cut_after = 400_000
    assert fetch("cifar10", tmp_path, mirror=server.url).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=400000-", "bytes=800000-"]


def test_a_download_that_stays_cut_keeps_its_part_and_says_so(server: Server, tmp_path: Path) -> None:
    server.cut_after = 100_000
    with pytest.raises(ResiduaError, match="400000 bytes are kept, the same command continues") as refused:
        fetch("cifar10", tmp_path, mirror=server.url)
    assert "\n" not in str(refused.value)
    assert (tmp_path / f"{FILE}.part").stat().st_size == 400_000 and not (tmp_path / FILE).exists()
    server.cut_after = None
    assert fetch("cifar10", tmp_path, mirror=server.url).read_bytes() == CONTENT


def test_a_whole_part_is_only_verified(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{FILE}.part").write_bytes(CONTENT)
    assert fetch("cifar10", tmp_path, mirror=server.url).read_bytes() == CONTENT


def test_a_wrong_checksum_removes_the_download(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(
        ResiduaError, match=r"not the official .* fetch again, or name another address with --mirror"
    ):
        fetch("cifar10", tmp_path, mirror=server.url)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_stands_there_is_never_overwritten(server: Server, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"mine")
    with pytest.raises(ResiduaError, match=f"remove .*{FILE}, then fetch again"):
        fetch("cifar10", tmp_path, mirror=server.url)
    assert (tmp_path / FILE).read_bytes() == b"mine" and server.asked == []


def test_a_server_that_resumes_elsewhere_is_refused(server: Server, tmp_path: Path) -> None:
    server.wrong_place = True
    (tmp_path / f"{FILE}.part").write_bytes(CONTENT[:1000])
    with pytest.raises(ResiduaError, match="another place"):
        fetch("cifar10", tmp_path, mirror=server.url)


def test_without_a_network_there_is_a_way_on(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ResiduaError, match="answers 404") as refused:
        fetch("cifar100", tmp_path, mirror=server.url)
    assert "put it at" in str(refused.value) and "--mirror" in str(refused.value)
    with pytest.raises(ResiduaError, match=f"put it at {tmp_path / FILE}") as refused:
        fetch("cifar10", tmp_path, mirror="http://127.0.0.1:9")
    assert "\n" not in str(refused.value) and refused.value.exit_code == 1


def test_names_and_mirrors_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cifar10"):
        fetch("cifar", tmp_path)
    for mirror in (
        "file:///etc",
        "ftp://host/x",
        "host/x",
        "http://",
        "http://[::1",
        "http://a b/",
        "http://a:b",
    ):
        with pytest.raises(UsageError, match="a mirror is an http") as refused:
            fetch("cifar10", tmp_path, mirror=mirror)
        assert "\n" not in str(refused.value)


def test_a_server_that_sends_us_to_no_address_is_one_line(server: Server, tmp_path: Path) -> None:
    server.moved_to = "http://[::1"
    with pytest.raises(ResiduaError, match="Invalid IPv6") as refused:
        fetch("cifar10", tmp_path, mirror=server.url)
    assert "\n" not in str(refused.value)


def test_a_root_that_is_no_folder_is_one_line(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ResiduaError, match="cannot write"):
        fetch("cifar10", tmp_path / "file", mirror=server.url)


def test_endless_downloads_end(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("residua.data.fetch.LARGEST", 500_000)
    with pytest.raises(ResiduaError, match="more than the official"):
        fetch("cifar10", tmp_path, mirror=server.url)
