"""Pictures of images on a page: what is not a whole PNG file is refused, and what is shown is encoded anew."""

from __future__ import annotations

import base64
import binascii
import io
from typing import TYPE_CHECKING

from residua.errors import ResiduaError

if TYPE_CHECKING:
    from PIL import Image

PIXELS = 4096 * 4096  # of one picture
SMALL, THUMBNAIL = 64, 160  # pixels: smaller pictures are kept exactly, larger ones are shrunk to a thumbnail


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
    return encoded(shown, keep)


def encoded(image: Image.Image, keep: int = SMALL) -> tuple[str, tuple[int, int]]:
    """A data URL of an image, grey or RGB, shrunk from ``keep`` pixels a side on, and its (width, height)."""
    size, kind = image.size, "png"
    if max(size) > keep:
        image = image.copy()
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        kind = "jpeg"
    out = io.BytesIO()
    image.save(out, kind, quality=88)
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}", size
