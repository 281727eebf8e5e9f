import asyncio
import json
import os

import pytest

from residua.errors import UsageError
from residua.serve.guards import Bodies
from residua.serve.limits import Limits
from residua.serve.server import names_of, read_token

TOKEN = "0123456789abcdef"


def test_only_who_knows_the_token_is_answered(client, white):
    http = client(token=TOKEN)
    wrong = [
        None,
        "",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer \u00e9".encode(),
    ]
    for given in wrong:
        headers = {} if given is None else {"authorization": given}
        for method, path in (("POST", "/v1/predict"), ("GET", "/metrics"), ("GET", "/openapi.json")):
            answer = http.request(method, path, headers=headers)
            assert answer.status_code == 401, (given, path)
            assert answer.headers["www-authenticate"] == "Bearer"
    right = {"authorization": f"Bearer {TOKEN}"}
    assert http.post("/v1/predict", files={"file": white}, headers=right).status_code == 200
    assert http.get("/healthz").status_code == 200
    assert http.get("/readyz").status_code == 200


def test_a_token_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    assert read_token(path) == TOKEN
    if os.name != "nt":
        path.chmod(0o640)
        with pytest.raises(UsageError, match="chmod 600"):
            read_token(path)


@pytest.mark.parametrize(
    "text", ["", "short", "two words, and long enough", "\u00e9" * 20, "0123456789abcdef\nmore"]
)
def test_what_is_no_token(tmp_path, text):
    path = tmp_path / "token"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(UsageError, match="no token"):
        read_token(path)
    with pytest.raises(UsageError, match="cannot read"):
        read_token(tmp_path / "missing")


def test_a_foreign_name_for_this_machine_is_refused(client):
    http = client(hosts=names_of("127.0.0.1", []))
    for host in ("127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000"):
        assert http.get("/healthz", headers={"host": host}).status_code == 200, host
    for host in ("evil.example", "127.0.0.1.evil.example", "evil.example:8000", "", "localhost:x"):
        assert http.get("/healthz", headers={"host": host}).status_code == 421, host


def test_a_page_of_another_origin_is_refused(client):
    http = client(hosts=names_of("127.0.0.1", []))
    own = {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"}
    assert http.get("/healthz", headers=own).status_code == 200
    for origin in ("http://evil.example", "null", "http://127.0.0.1:8001"):
        assert http.get("/healthz", headers={**own, "origin": origin}).status_code == 403, origin


def test_a_server_for_others_answers_to_any_name_unless_it_is_told():
    assert names_of("0.0.0.0", []) is None
    assert "models.example" in names_of("0.0.0.0", ["Models.Example"])


def test_a_body_that_is_too_large_is_refused_said_or_not(client):
    http = client(Limits(body=1000))
    kind = {"content-type": "image/png"}
    said = http.post("/v1/predict", content=b"x" * 1001, headers=kind)
    unsaid = http.post("/v1/predict", content=(b"x" * 100 for _ in range(11)), headers=kind)
    for answer in (said, unsaid):
        assert answer.status_code == 413
        assert answer.json()["error"] == "the body is larger than 1,000 bytes"
        assert answer.headers["connection"] == "close"
    assert http.post("/v1/predict", content=b"x" * 1000, headers=kind).status_code == 422


async def _ask(guard, parts, headers=()):
    """What ASGI's client sees; ``parts`` are bytes, or seconds of silence."""
    left = list(parts)
    sent = []

    async def receive():
        part = left.pop(0)
        if isinstance(part, float):
            await asyncio.sleep(part)
            part = b""
        return {"type": "http.request", "body": part, "more_body": bool(left)}

    async def send(message):
        sent.append(message)

    await guard({"type": "http", "path": "/", "headers": list(headers)}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def _echo(scope, receive, send):
    from starlette.requests import Request
    from starlette.responses import JSONResponse

    from residua.serve.guards import refusal
    from residua.serve.refused import Refused

    try:
        response = JSONResponse({"size": len(await Request(scope, receive).body())})
    except Refused as refused:
        response = refusal(refused)
    await response(scope, receive, send)


def test_a_body_that_never_ends_is_given_up():
    guard = Bodies(_echo, Limits(body_seconds=0.05))
    assert asyncio.run(_ask(guard, [b"ab", b"c"])) == (200, {"size": 3})
    status, answer = asyncio.run(_ask(guard, [b"ab", 5.0, b"c"]))
    assert (status, answer["error"]) == (408, "the body took longer than 0.05 s")


def test_requests_together_hold_so_many_bytes_and_no_more():
    guard = Bodies(_echo, Limits(held=10, body_seconds=5))

    async def both():
        slow = asyncio.create_task(_ask(guard, [b"12345678", 0.2, b""]))
        await asyncio.sleep(0.05)
        early = await _ask(guard, [b"123"])
        late = await slow
        return early, late, await _ask(guard, [b"1234567890"])

    early, late, after = asyncio.run(both())
    assert early[0] == 429
    assert late == (200, {"size": 8})
    assert after == (200, {"size": 10}), "what was answered is held no longer"
