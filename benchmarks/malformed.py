"""Requests that mean no good, made from a seed: damaged images, wrong forms, JSON, headers, addresses and sizes."""

from __future__ import annotations

import base64
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image


@dataclass(frozen=True, kw_only=True)
class Malformed:
    """A request as httpx takes it."""

    method: str = "POST"
    path: str = "/v1/predict"
    headers: dict[bytes, bytes] = field(default_factory=dict)
    content: bytes = b""


def malformed(seed: int) -> Malformed:
    """The request of a seed."""
    draw = random.Random(seed)
    return draw.choice(_KINDS)(draw)


def _image(draw: random.Random) -> bytes:
    """A picture of any format and size, as a whole file."""
    mode, kind = draw.choice(
        [("L", "PNG"), ("RGB", "PNG"), ("RGBA", "PNG"), ("P", "GIF"), ("RGB", "JPEG"), ("CMYK", "JPEG"),
         ("RGB", "WEBP"), ("RGB", "BMP"), ("I;16", "PNG"), ("L", "TIFF"), ("RGB", "JPEG2000"), ("1", "PPM")]
    )  # fmt: skip
    out = io.BytesIO()
    size = (draw.choice([1, 2, 8, 33, 200]), draw.choice([1, 2, 8, 33, 200]))
    image = Image.new(mode, size)
    image.save(out, kind)
    return out.getvalue()


def _damaged(draw: random.Random) -> bytes:
    """A picture cut off, with bytes flipped, removed or repeated, or with a number in it made huge."""
    content = bytearray(_image(draw))
    for _ in range(draw.choice([1, 1, 2, 8])):
        at = draw.randrange(len(content) or 1)
        match draw.randrange(5):
            case 0:
                del content[at:]
            case 1:
                content[at : at + 1] = bytes([draw.randrange(256)])
            case 2:
                content[at : at + 4] = draw.choice([b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\x00\x00\xff\xff"])
            case 3:
                del content[at : at + draw.randrange(1, 20)]
            case 4:
                content[at:at] = content[at : at + draw.randrange(1, 50)] * draw.choice([1, 20])
    return bytes(content)


def _raw(draw: random.Random) -> Malformed:
    kind = draw.choice(["image/png", "image/*", "application/octet-stream", "IMAGE/JPEG; q=1"])
    return Malformed(
        headers={b"content-type": kind.encode()}, content=draw.choice([_damaged, _damaged, _noise])(draw)
    )


def _noise(draw: random.Random) -> bytes:
    return draw.randbytes(draw.choice([0, 1, 7, 100, 5000, 200_000]))


def _form(draw: random.Random) -> Malformed:
    mark = draw.choice(["x", "----b", "a" * 70])
    names = draw.choices(["file", "file", "other", "", "fi\r\nle", 'fi"le'], k=draw.choice([0, 1, 1, 3, 300]))
    parts = [
        f'--{mark}\r\ncontent-disposition: form-data; name="{name}"'.encode()
        + draw.choice(
            [b'; filename="a.png"', b'; filename="../../etc/passwd"', b"", b"; filename*=UTF-8''%ff"]
        )
        + b"\r\n\r\n"
        + (_damaged(draw) if len(names) < 9 else b"x")
        + b"\r\n"
        for name in names
    ]
    content = b"".join(parts) + draw.choice([f"--{mark}--\r\n".encode(), b"", b"--"])
    told = draw.choice([mark, mark, mark, "other", "", "x" * 500])
    return Malformed(
        headers={b"content-type": f"multipart/form-data; boundary={told}".encode()}, content=content
    )


def _json(draw: random.Random) -> Malformed:
    coded = base64.b64encode(_damaged(draw)).decode()
    values = [
        {"images": [coded]}, {"image": coded}, {"images": [coded] * 300}, {"images": coded}, {"images": [None]},
        {"images": [[coded]]}, {"image": coded[:-3]}, {"image": "data:image/png;base64," + coded}, [coded], coded,
        {"image": "\ud800"}, {"images": {"0": coded}}, {"image": coded, "top_k": 10**30}, None, 1e400, {},
    ]  # fmt: skip
    content = json.dumps(draw.choice(values)).encode()
    if draw.random() < 0.4:
        content = draw.choice([content[: len(content) // 2], b"[" * 50_000, b"\xff" + content, b"1" * 10_000])
    return Malformed(headers={b"content-type": b"application/json"}, content=content)


def _headers(draw: random.Random) -> Malformed:
    name = draw.choice(
        ["content-type", "authorization", "origin", "range", "expect", "x", "content-encoding"]
    )
    value = draw.choice(
        ["", "\u00e9", "a" * 9000, "multipart/form-data", "100-continue", "gzip", "null", ",;,="]
    )
    if name == "expect" and value == "100-continue":
        value = "200-continue"
    return Malformed(headers={name.encode(): value.encode("latin-1")}, content=_noise(draw))


_PATHS = (
    "/", "/v1", "/v1/predict/", "/v1/predict/../models", "/%2e%2e/%2e%2e/etc/passwd", "//v1//predict", "/v1/models",
    "/metrics", "/openapi.json", "/healthz", "/readyz", "/" + "a" * 5000, "/%00", "/%ff%fe", "/v1/predict%0d%0a",
)  # fmt: skip


def _address(draw: random.Random) -> Malformed:
    path = draw.choice(_PATHS)
    return Malformed(
        method=draw.choice(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]), path=path
    )


def _query(draw: random.Random) -> Malformed:
    key = draw.choice(["top_k", "model", "cam", "timeout_ms", "timeout_ms", "top_k"])
    value = draw.choice(
        [
            "",
            "0",
            "-1",
            "1e9",
            "99999999999999999999",
            "NaN",
            "%00",
            "..%2f..",
            "%f0%9f",
            "true",
            "1",
            "a" * 3000,
        ]
    )
    image = _image(draw)
    return Malformed(
        path=f"/v1/predict?{key}={value}", headers={b"content-type": b"image/png"}, content=image
    )


_KINDS: tuple[Callable[[random.Random], Malformed], ...] = (
    _raw,
    _raw,
    _form,
    _json,
    _headers,
    _address,
    _query,
)
