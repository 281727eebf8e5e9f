"""What raw sockets get: half a request, none, or one after another for ever."""

import asyncio
import json
import socket
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn

from residua.serve.app import make_app
from residua.serve.limits import Limits
from residua.serve.metrics import Metrics
from residua.serve.protocol import patient
from residua.serve.server import bind

HEAD = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"


@contextmanager
def running():
    from tests.serve.instant import InstantModels

    limits = Limits(head_seconds=0.3, connections=20)
    app = make_app(InstantModels(), limits=limits, metrics=Metrics())
    config = uvicorn.Config(app, http=patient(limits), ws="none", lifespan="off", log_config=None)
    server, opened = uvicorn.Server(config), bind("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=([opened],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server, opened.getsockname()
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def address():
    with running() as (_, address):
        yield address


def talk(address, *parts):
    """Everything that the server says until it closes the connection; a number is a pause, a function is called."""
    said = b""
    with socket.create_connection(address, timeout=20) as connection:
        try:
            for part in parts:
                if isinstance(part, float):
                    time.sleep(part)
                else:
                    connection.sendall(part() if callable(part) else part)
            while part := connection.recv(65536):
                said += part
        except ConnectionError:
            pass
    return said


def test_a_connection_that_asks_nothing_is_closed(address):
    start = time.monotonic()
    assert talk(address) == b""
    assert time.monotonic() - start < 10


def test_half_a_head_is_not_waited_for(address):
    assert talk(address, HEAD[:10]) == b""
    assert talk(address, HEAD, *[b"a: b\r\n", 0.1] * 8, b"\r\n") == b"", "a trickle is no excuse"


def test_half_a_head_after_an_answer_is_not_waited_for_either(address):
    said = talk(address, HEAD + b"\r\n", 0.2, HEAD)
    assert said.count(b"HTTP/1.1 200") == 1


def test_requests_may_follow_each_other(address):
    said = talk(address, (HEAD + b"\r\n") * 2, 0.6, HEAD + b"connection: close\r\n\r\n")
    assert said.count(b"HTTP/1.1 200") == 3


@pytest.mark.parametrize(
    "nonsense",
    [b"\x16\x03\x01\x02\x00", b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nhost: x\r\n"
     b"content-length: -1\r\n\r\n", b"GET / HTTP/1.1\r\nhost: " + b"x" * 1_000_000],
)  # fmt: skip
def test_what_is_no_http_is_told_so(address, nonsense):
    said = talk(address, nonsense + b"\r\n\r\n")
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["status"] == 400


def test_more_connections_than_allowed_are_told_so(address):
    held = [socket.create_connection(address) for _ in range(20)]
    try:
        said = talk(address)
    finally:
        for connection in held:
            connection.close()
    assert said.startswith(b"HTTP/1.1 503 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["error"] == "20 connections are open"


def test_an_answer_goes_out_at_once():
    """Not with Nagle's delay: head and body are written one after the other, and a client may confirm late (40 ms)."""

    async def accepted():
        told = asyncio.get_running_loop().create_future()

        class Told(asyncio.Protocol):
            def connection_made(self, transport):
                told.set_result(
                    transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                )

        opened = bind("127.0.0.1", 0)
        async with await asyncio.get_running_loop().create_server(Told, sock=opened):
            with socket.create_connection(opened.getsockname()):
                return await told

    assert asyncio.run(accepted())


def test_a_request_that_was_on_its_way_when_the_server_stopped_is_answered():
    with running() as (server, address):

        def stop():
            server.should_exit = True
            while server.servers[0].is_serving():
                time.sleep(0.01)
            return HEAD + b"\r\n"

        said = talk(address, HEAD + b"\r\n", 0.1, stop)
    first, last = said.split(b"HTTP/1.1 200")[1:]
    assert b"connection: close" not in first
    assert b"connection: close" in last
