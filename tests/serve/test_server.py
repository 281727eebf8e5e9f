"""A whole server in a process of its own, as the command starts it: killed workers, new versions, its end."""

import os
import shutil
import signal
import struct
import threading
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from benchmarks.server_process import serving
from tests.serve.instant import png

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")


@contextmanager
def load(server, clients=3):
    """Ask without a pause from several connections, and tell what came of it in ``outcomes``."""
    outcomes, answers, stop = Counter(), [], threading.Event()

    def ask():
        with httpx.Client(base_url=server.address, timeout=120) as http:
            while not stop.is_set():
                try:
                    answer = http.post("/v1/predict", files={"file": png()})
                except httpx.ConnectError:  # the server is gone, and took nothing of this request
                    outcomes["not accepted"] += 1
                    return
                except httpx.TransportError as error:
                    outcomes[repr(error)] += 1
                    return
                outcomes[answer.status_code] += 1
                answers.append(answer.json())

    with ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(ask) for _ in range(clients)]
        try:
            yield outcomes, answers
        finally:
            stop.set()
            for one in asking:
                one.result()


def until(condition, seconds=200):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def place(weights, tmp_path_factory):
    return weights(tmp_path_factory.mktemp("served") / "tones.safetensors")


@pytest.fixture(scope="module")
def server(place):
    with serving(place, "--threads", 1, "--timeout", 200) as server:
        yield server


def bomb():
    """A small PNG that stands for 30,000 x 30,000 pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(10_000)))
        + chunk(b"IEND", b"")
    )


def test_images_that_mean_harm_do_none(server):
    before = server.workers()
    with httpx.Client(base_url=server.address, timeout=120) as http:
        for content, status, said in (
            (bomb(), 422, "refused"),
            (png(size=(8000, 7000)), 413, "50,000,000 pixels"),
            (png(size=(300, 300))[:-40], 422, "cannot be read"),
            (b"", 422, "cannot be read"),
        ):
            answer = http.post("/v1/predict", files={"file": ("../../etc/passwd", content)})
            assert answer.status_code == status, answer.text
            assert said in answer.json()["error"]
        assert http.post("/v1/predict", files={"file": png()}).json()["label"] in ("dark", "light")
    assert server.workers() == before


def test_a_killed_worker_is_replaced_and_no_request_is_lost(server):
    with load(server) as (outcomes, _):
        until(lambda: outcomes[200] > 20)
        (old,) = server.workers()
        os.kill(old, signal.SIGKILL)
        until(lambda: server.workers() not in ([], [old]))
        so_far = outcomes[200]
        until(lambda: outcomes[200] > so_far + 20)
    assert set(outcomes) == {200}, outcomes
    assert 'residua_worker_restarts_total{model="tones"} 1.0' in httpx.get(f"{server.address}/metrics").text


def test_a_new_version_is_switched_to_without_losing_a_request(server, place, weights, tmp_path):
    with load(server) as (outcomes, answers):
        until(lambda: outcomes[200] > 5)
        weights(tmp_path / "new.safetensors", seed=1).replace(place)
        until(lambda: len({answer["version"] for answer in answers}) == 2)
    assert set(outcomes) == {200}, outcomes
    versions = [answer["version"] for answer in answers]
    by_version = {answer["version"]: answer["probability"] for answer in answers}
    assert len(set(by_version.values())) == 2, "another network answers otherwise"
    last = httpx.post(f"{server.address}/v1/predict", files={"file": png()}, timeout=120).json()
    assert last["version"] == versions[-1] != versions[0]


def test_a_broken_version_is_not_switched_to(server, place, tmp_path):
    good = tmp_path / "good.safetensors"
    shutil.copy(place, good)
    place.write_bytes(b"this is no weight file")

    def listed():
        return httpx.get(f"{server.address}/v1/models", timeout=120).json()["models"][0]

    until(lambda: listed()["error"])
    assert listed()["state"] == "ready"
    assert httpx.post(f"{server.address}/v1/predict", files={"file": png()}, timeout=120).status_code == 200
    good.replace(place)
    until(lambda: not listed()["error"])


def test_sigterm_answers_what_was_accepted(server):
    with load(server) as (outcomes, _):
        until(lambda: outcomes[200] > 20)
        workers = server.workers()
        server.process.terminate()
        assert server.process.wait(120) == 0
    assert set(outcomes) <= {200, "not accepted"}, outcomes
    until(lambda: not any(Path(f"/proc/{number}/cmdline").exists() for number in workers), 10)
