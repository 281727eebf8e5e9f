"""The server beside the raw runtime: closed loops of clients, and memory over many requests.

    python -m benchmarks.serving ARTIFACT_OR_RUN [--clients 1,8,64] [--seconds 20] [--rounds 3] [--requests 20000]

A client sends an image, waits for its answer, and sends the next. In turns with them, the same model is asked directly:
`outputs` on a ready array of a full batch (the ceiling), and `predict` on the bytes of the images (decoding too). The
clients share the machine with the server, as a load generator on one machine must; they are one process.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from benchmarks.harness import RESULTS, where
from benchmarks.server_process import ServerProcess, serving
from residua.deploy import Predictor
from residua.files import write_json, write_text
from residua.machine import describe_machine, usable_cores

BATCH = 32
_PATIENCE = 60.0  # seconds


def photo(size: int, channels: int) -> bytes:
    """A JPEG of smooth noise, a third larger than what the network sees."""
    side = max(8, size * 4 // 3)
    small = np.random.default_rng(0).integers(0, 256, (max(2, side // 8), max(2, side // 8), 3), np.uint8)
    image = Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.convert("RGB" if channels == 3 else "L").save(out, "jpeg", quality=90)
    return out.getvalue()


def directly(source: str, image: bytes, seconds: float) -> dict[str, float]:
    """Images a second of the runtime on ready arrays, and of the Predictor on bytes, in this process."""
    predictor = Predictor(source, threads=usable_cores())
    ready = np.stack([predictor.prepare(image)] * min(BATCH, predictor.batch_size))
    found = {}
    for name, ask, images in (
        ("runtime", lambda: predictor.outputs(ready), len(ready)),
        ("predictor", lambda: predictor.predict([image] * BATCH), BATCH),
    ):
        ask()
        count, start = 0, time.perf_counter()
        while (taken := time.perf_counter() - start) < seconds:
            ask()
            count += images
        found[name] = count / taken
    return found


async def closed_loop(
    address: str, image: bytes, clients: int, *, seconds: float = 1e9, most: int = 1 << 60
) -> dict[str, Any]:
    """So many clients for so long, or until so many requests: images a second, latencies, what went wrong."""
    latencies: list[float] = []
    statuses: Counter[str] = Counter()
    begun = 0
    end = time.perf_counter() + seconds
    where_to = urlsplit(address)
    request = (
        f"POST /v1/predict HTTP/1.1\r\nhost: {where_to.netloc}\r\n"
        f"content-type: image/jpeg\r\ncontent-length: {len(image)}\r\n\r\n"
    ).encode() + image

    async def client() -> None:
        nonlocal begun
        connection = None
        while begun < most and time.perf_counter() < end:
            begun += 1
            start = time.perf_counter()
            try:
                connection = connection or await asyncio.open_connection(where_to.hostname, where_to.port)
                status = await asyncio.wait_for(asked(*connection, request), _PATIENCE)
            except (OSError, EOFError, TimeoutError) as error:
                status, connection = type(error).__name__, None
            latencies.append(time.perf_counter() - start)
            statuses[status] += 1
        if connection:
            connection[1].close()

    start = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    taken = time.perf_counter() - start
    p50, p99 = np.percentile(latencies, [50, 99])
    return {
        "images_per_second": len(latencies) / taken,
        "p50_ms": 1000 * p50,
        "p99_ms": 1000 * p99,
        "requests": len(latencies),
        "statuses": dict(statuses),
    }


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> str:
    """Send a request, read the whole answer, and tell its status.

    Written out, because the clients compute beside the server: httpx takes more time for a request than the server,
    and with 64 connections in its pool ten times as much.
    """
    writer.write(request)
    status, *headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
    length = next(
        line.removeprefix("content-length:") for line in headers if line.startswith("content-length:")
    )
    await reader.readexactly(int(length))
    return status.split()[1]


def memory(server: ServerProcess, image: bytes, requests: int) -> list[tuple[int, int]]:
    """Bytes that the server and its workers have after each tenth of so many requests."""
    found = [(0, server.resident())]
    for tenth in range(1, 11):
        asyncio.run(closed_loop(server.address, image, 8, most=requests // 10))
        found.append((tenth * (requests // 10), server.resident()))
    return found


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("--clients", default="1,8,64")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=20_000)
    asked = parser.parse_args()
    clients = [int(number) for number in asked.clients.split(",")]
    predictor = Predictor(asked.source)
    channels, size = predictor.shape[0], predictor.shape[-1]
    image = photo(size, channels)
    rounds: list[dict[str, Any]] = []
    for number in range(asked.rounds):
        one: dict[str, Any] = {"direct": directly(asked.source, image, asked.seconds / 2), "loops": {}}
        with serving(asked.source, "--max-batch", BATCH) as server:
            asyncio.run(
                closed_loop(server.address, image, 8, seconds=2)
            )  # what the first batches compile or allocate
            for count in clients:
                one["loops"][str(count)] = asyncio.run(
                    closed_loop(server.address, image, count, seconds=asked.seconds)
                )
            if number == asked.rounds - 1:
                one["memory"] = memory(server, image, asked.requests)
        rounds.append(one)
    evidence = {
        "schema": 1,
        "title": "The server beside the raw runtime",
        "command": f"python -m benchmarks.serving {Path(asked.source).name} --clients {asked.clients} "
        f"--seconds {asked.seconds:g} --rounds {asked.rounds} --requests {asked.requests}",
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        "model": {
            "name": predictor.name,
            "format": predictor.format,
            "precision": predictor.precision,
            "size": size,
        },
        "rounds": rounds,
    }
    name = f"serving-{Path(asked.source).name}"
    write_json(RESULTS / f"{name}.json", evidence)
    write_text(RESULTS / f"{name}.md", table(evidence))
    print(table(evidence))


def table(evidence: dict[str, Any]) -> str:
    """The Markdown page of the evidence: medians over the rounds."""
    rounds, model = evidence["rounds"], evidence["model"]

    def median(*keys: str) -> float:
        found = []
        for one in rounds:
            for key in keys:
                one = one[key]
            found.append(one)
        return statistics.median(found)

    runtime = median("direct", "runtime")
    lines = [
        f"# {evidence['title']}",
        "",
        f"`{evidence['command']}`, {evidence['date']}, {where(evidence['machine'])}.",
        f"{model['name']}, {model['format']} {model['precision']}, {model['size']} px; "
        f"medians of {len(rounds)} rounds.",
        "",
        "| who asks | images/s | of the runtime | p50 ms | p99 ms | requests not answered 200 |",
        "|---|---:|---:|---:|---:|---:|",
        f"| the runtime, ready arrays, batch {BATCH} | {runtime:.1f} | 100 % | | | |",
        f"| the Predictor, JPEG bytes, batch {BATCH} | {median('direct', 'predictor'):.1f} "
        f"| {median('direct', 'predictor') / runtime:.0%} | | | |",
    ]
    for clients in rounds[0]["loops"]:
        loops = [one["loops"][clients] for one in rounds]
        failed = sum(count for loop in loops for status, count in loop["statuses"].items() if status != "200")
        rate = median("loops", clients, "images_per_second")
        lines.append(
            f"| {clients} client{'s' if clients != '1' else ''} | {rate:.1f} | {rate / runtime:.0%} "
            f"| {median('loops', clients, 'p50_ms'):.1f} | {median('loops', clients, 'p99_ms'):.1f} | {failed} |"
        )
    held = rounds[-1]["memory"]
    shown = ", ".join(f"{size / 2**20:.0f}" for _, size in held)
    lines += [
        "",
        f"Memory of the server and its workers over {held[-1][0]:,} requests, MB at each tenth: {shown}.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
