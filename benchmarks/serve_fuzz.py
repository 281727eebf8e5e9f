"""Malformed requests to a real server: no 5xx but 503 and 504, no worker that dies, memory flat.

python -m benchmarks.serve_fuzz ARTIFACT_OR_RUN [--count 10000] [--first 0]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from benchmarks.harness import RESULTS
from benchmarks.malformed import malformed
from benchmarks.server_process import serving
from residua.files import write_json
from residua.machine import describe_machine


def main() -> None:
    """Send, count, print and store. Exits with 1 if anything came that must not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first request")
    asked = parser.parse_args()
    statuses: Counter[str] = Counter()
    wrong: list[dict[str, Any]] = []
    held = []
    with serving(asked.source) as server, httpx.Client(base_url=server.address, timeout=120) as http:
        workers = server.workers()

        def send(seed: int) -> None:
            request = malformed(seed)
            try:
                answer = http.request(
                    request.method, request.path, headers=request.headers, content=request.content
                )
            except httpx.LocalProtocolError:  # the client's own library refuses to send it
                statuses["not sent"] += 1
                return
            except (httpx.TransportError, httpx.InvalidURL) as error:
                statuses[type(error).__name__] += 1
                wrong.append({"seed": seed, "error": repr(error)})
                return
            statuses[str(answer.status_code)] += 1
            if answer.status_code >= 500 and answer.status_code not in (503, 504):
                wrong.append({"seed": seed, "status": answer.status_code})

        tenth = max(1, asked.count // 10)
        for start in range(asked.first, asked.first + asked.count, tenth):
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(send, range(start, min(start + tenth, asked.first + asked.count))))
            held.append(server.resident())
        same = server.workers() == workers
        alive = http.get("/readyz").status_code == 200
    evidence = {
        "schema": 1,
        "title": "Malformed requests",
        "command": f"python -m benchmarks.serve_fuzz MODEL --count {asked.count} --first {asked.first}",
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        "statuses": dict(sorted(statuses.items())),
        "wrong": wrong,
        "workers_survived": same,
        "ready_afterwards": alive,
        "resident_bytes_at_each_tenth": held,
    }
    write_json(RESULTS / "serve_fuzz.json", evidence)
    print({key: evidence[key] for key in ("statuses", "wrong", "workers_survived", "ready_afterwards")})
    print("MB:", [round(size / 2**20) for size in held])
    if wrong or not same or not alive:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
