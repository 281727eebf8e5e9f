"""The images of a request, whichever way they came: parts of a form, bytes as they are, or base64 in JSON."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from residua.serve.refused import Refused

FIELD = "file"
_BYTES = ("image/", "application/octet-stream")


@dataclass(frozen=True, kw_only=True)
class Sent:
    """An image as it was sent."""

    name: str
    content: bytes


async def images_of(request: Request, most: int) -> list[Sent]:
    """The images of a request, at least one and at most so many. Raises Refused."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        sent = await _parts(request, most)
    elif kind == "application/json":
        sent = _decoded(await request.body())
    elif kind.startswith(_BYTES):
        sent = [Sent(name="image", content=await request.body())]
    else:
        ways = "multipart/form-data, application/json, or an image's own bytes as image/* or application/octet-stream"
        raise Refused(415, f"images come as {ways}, not as {kind or 'something without a content type'}")
    if not sent:
        raise Refused(422, f'there is no image: a form has them as {FIELD!r}, JSON as "images"')
    if len(sent) > most:
        raise Refused(413, f"{len(sent)} images: a request may have {most}")
    return sent


async def _parts(request: Request, most: int) -> list[Sent]:
    try:
        # one more than is allowed, so that the reason is ours; the size of a part is that of the body, which is limited
        async with request.form(max_files=most + 1, max_fields=most + 1) as form:
            files = form.getlist(FIELD)
            if any(not isinstance(file, UploadFile) for file in files):
                raise Refused(422, f"a part {FIELD!r} is no file: it needs a file name")
            return [
                Sent(name=file.filename or "image", content=await file.read())
                for file in files
                if isinstance(file, UploadFile)
            ]
    except HTTPException as error:  # what is no form, or one of too many parts
        status = 413 if error.detail.startswith("Too many") else 422
        raise Refused(status, f"the form cannot be read: {error.detail}") from error


def _decoded(body: bytes) -> list[Sent]:
    try:
        table = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(422, "the body is not valid JSON") from error
    texts = _texts(table)
    try:
        contents = [base64.b64decode(text, validate=True) for text in texts]
    except (ValueError, binascii.Error) as error:
        raise Refused(422, "an image is not valid base64") from error
    return [Sent(name=f"image {number}", content=content) for number, content in enumerate(contents, 1)]


def _texts(table: Any) -> list[str]:
    """``{"images": ["...", ...]}`` or ``{"image": "..."}``."""
    if isinstance(table, dict) and set(table) == {"image"}:
        table = {"images": [table["image"]]}
    if not isinstance(table, dict) or set(table) != {"images"}:
        raise Refused(
            422, 'JSON must be {"images": ["base64", ...]} or {"image": "base64"}, and nothing else'
        )
    texts = table["images"]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refused(422, '"images" must be a list of base64 texts')
    return texts
