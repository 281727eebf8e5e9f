"""Requests and answers as OpenAPI shows them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from residua.serve.requests import FIELD

_IMAGE = {"type": "string", "format": "binary"}
_BASE64 = {"type": "string", "contentEncoding": "base64"}

# what FastAPI cannot read off a function that takes a request in several ways
PREDICT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {FIELD: {"type": "array", "items": _IMAGE, "minItems": 1}},
                    "required": [FIELD],
                }
            },
            "application/octet-stream": {"schema": _IMAGE},
            "image/*": {"schema": _IMAGE},
            "application/json": {
                "schema": {
                    "oneOf": [
                        {
                            "type": "object",
                            "properties": {"images": {"type": "array", "items": _BASE64, "minItems": 1}},
                            "required": ["images"],
                            "additionalProperties": False,
                        },
                        {
                            "type": "object",
                            "properties": {"image": _BASE64},
                            "required": ["image"],
                            "additionalProperties": False,
                        },
                    ]
                }
            },
        },
    }
}


class Problem(BaseModel):
    """Why there is no answer."""

    schema_: Literal[1]
    status: int
    error: str

    model_config = {"alias_generator": lambda name: name.rstrip("_")}


class Likely(BaseModel):
    """A class and its probability."""

    label: str
    probability: float


class ImageAnswer(BaseModel):
    """What is on an image (or its ``values``, of a regression), or why it has no answer."""

    name: str
    label: str | None = None
    probability: float | None = None
    top: list[Likely] | None = None
    values: dict[str, float] | None = None
    cam: list[list[float]] | None = None
    status: int | None = None
    error: str | None = None


class Predictions(ImageAnswer):
    """An answer for each image, in order; of one image it stands at the top as well."""

    schema_: Literal[1]
    name: str | None = None  # type: ignore[assignment]  # of one image
    model: str
    version: str
    milliseconds: float
    predictions: list[ImageAnswer]

    model_config = {"alias_generator": lambda name: name.rstrip("_"), "protected_namespaces": ()}


class ModelList(BaseModel):
    """The models that can be asked."""

    schema_: Literal[1]
    models: list[dict[str, Any]]

    model_config = {"alias_generator": lambda name: name.rstrip("_")}


class Health(BaseModel):
    """Whether the server answers, and what it waits for."""

    status: str
    waiting_for: list[str] = []


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, for its ``responses``."""
    return {status: {"model": Problem} for status in statuses}
