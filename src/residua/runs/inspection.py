"""``inspection.json``: what somebody who had the model found out about it, as plain data for the report.

Every part may be missing or null; a part that is there has this shape (``SHAPE`` below checks it)::

    {"schema": 1,
     "weights":     text,                         the digest of the weight file that was looked at
     "classes":     [text],                       names, in the order of the labels
     "confusion":   [[count]],                    images of true class (row) given predicted class (column)
     "per_class":   [{"class": text, "n": count, "recall": share | null, "precision": share | null}],
     "top1": share, "top5": share,                shares of the test images, in [0, 1]
     "nll": number (nats), "ece": share,
     "reliability": [{"confidence": share | null, "accuracy": share | null, "n": count}],       a bin each
     "mistakes":    [{"true": text, "predicted": text, "confidence": share, "path": text | null,
                      "png": base64}],
     "gradient":    [{"unit": text, "kind": "residual" | "plain", "norm": number | null}],    input to output
     "response":    [{"unit": text, "layer": text, "std": number | null}],                    input to output
     "cost":        [{"part": text, "parameters": count, "multiply_adds": count}]}

``png`` is the base64 text of a PNG file of at most ``PIXELS`` pixels; anything else is refused, and what the
page shows is encoded anew from the decoded pixels.
"""

from __future__ import annotations

import base64
import binascii
import io
from pathlib import Path
from typing import Any

from residua.errors import ResiduaError
from residua.files import read_json
from residua.report.shape import COUNT, POSITIVE, SHARE, TEXT, Leaf, Optional, check

PIXELS = 4096 * 4096  # of one picture of a mistake
SMALL, THUMBNAIL = 64, 160  # pixels: smaller pictures are kept exactly, larger ones are shrunk to a thumbnail

SHAPE = {
    "schema": Leaf("1 (this residua reads schema 1)", lambda value: type(value) is int and value == 1),
    "weights": Optional(TEXT),
    "classes": Optional([TEXT]),
    "confusion": Optional([[COUNT]]),
    "per_class": Optional(
        [{"class": TEXT, "n": COUNT, "recall": Optional(SHARE), "precision": Optional(SHARE)}]
    ),
    "top1": Optional(SHARE),
    "top5": Optional(SHARE),
    "nll": Optional(POSITIVE),
    "ece": Optional(SHARE),
    "reliability": Optional([{"confidence": Optional(SHARE), "accuracy": Optional(SHARE), "n": COUNT}]),
    "mistakes": Optional(
        [{"true": TEXT, "predicted": TEXT, "confidence": SHARE, "path": Optional(TEXT), "png": TEXT}]
    ),
    "gradient": Optional(
        [
            {
                "unit": TEXT,
                "kind": Leaf("'residual' or 'plain'", lambda value: value in ("residual", "plain")),
                "norm": Optional(POSITIVE),
            }
        ]
    ),
    "response": Optional([{"unit": TEXT, "layer": TEXT, "std": Optional(POSITIVE)}]),
    "cost": Optional([{"part": TEXT, "parameters": COUNT, "multiply_adds": COUNT}]),
}


def read_inspection(path: Path) -> dict[str, Any]:
    """The checked contents of ``inspection.json``, empty if there is no such file.

    Raises ResiduaError that names the file and the place in it.
    """
    if not path.exists():
        return {}
    values = read_json(path)
    check(values, SHAPE, str(path))
    confusion, classes = values.get("confusion"), values.get("classes")
    if confusion is not None:
        size = len(confusion)
        if any(len(row) != size for row in confusion):
            raise ResiduaError(f"{path}: confusion must be square")
        if classes is not None and len(classes) != size:
            raise ResiduaError(f"{path}: confusion has {size} rows but there are {len(classes)} classes")
    return {key: value for key, value in values.items() if key in SHAPE and value is not None}


def picture(png: str, where: str, keep: int = SMALL) -> tuple[str, tuple[int, int]]:
    """A data URL of a PNG given as base64 text, shrunk from ``keep`` pixels a side on, and its (width, height).

    Raises ResiduaError that says ``where`` if the text is not the base64 of a whole PNG, or it is too large.
    """
    from PIL import Image

    try:
        content = base64.b64decode(png, validate=True)
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if image.width * image.height > PIXELS:
                raise ResiduaError(
                    f"{where}: png has {image.width} x {image.height} pixels, more than {PIXELS}"
                )
            shown = image.convert("RGB" if image.mode in ("RGB", "RGBA", "P") else "L")
    except (binascii.Error, ValueError) as error:
        raise ResiduaError(f"{where}: png is not base64") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ResiduaError(f"{where}: png is not a whole PNG file") from error
    size, kind = shown.size, "png"
    if max(size) > keep:
        shown.thumbnail((THUMBNAIL, THUMBNAIL))
        kind = "jpeg"
    out = io.BytesIO()
    shown.save(out, kind, quality=88)
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}", size
