"""A model that needs no torch and no process, and an image for it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from residua.data.image import BadImage, read_image
from residua.errors import nearest
from residua.serve.models import Models
from residua.serve.refused import Refused
from residua.serve.worker import Facts

CLASSES = ("dark", "light")


class InstantPool:
    """Says whether an image is dark or light, at once and in this process."""

    name = "tones"
    facts = Facts(
        version="abc", answers="classes", classes=CLASSES, shape=(1, 8, 8), format="none", precision="float32", notes=()
    )  # fmt: skip

    async def answer(self, images, options, seconds):
        return [self._answer(image, options) for image in images]

    def _answer(self, image, options):
        try:
            light = float(np.asarray(read_image(image).convert("L")).mean()) / 255
        except BadImage as error:
            return Refused(422, f"the image cannot be read: {error.reason}")
        both = sorted([("dark", 1 - light), ("light", light)], key=lambda one: -one[1])
        top = [{"label": label, "probability": share} for label, share in both[: options.top_k]]
        return {**top[0], "top": top, **({"cam": [[light]]} if options.cam else {})}


class InstantModels(Models):
    missing: tuple[str, ...] = ()

    async def open(self):
        pass

    async def pool(self, name):
        if name not in (None, "tones"):
            raise Refused(404, f"there is no model {name!r}{nearest(name, ['tones'])}")
        return InstantPool()

    def table(self):
        return [{"name": "tones", "state": "ready"}]

    @property
    def waiting_for(self):
        return list(self.missing)

    async def close(self):
        pass


def png(value=255, size=(8, 8)) -> bytes:
    out = io.BytesIO()
    Image.new("L", size, value).save(out, "png")
    return out.getvalue()
