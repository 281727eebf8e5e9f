"""A model that needs no torch, an application around it, and a small network for whole servers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

for module in ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "httpx"):
    pytest.importorskip(module, reason="the extra 'serve' (and httpx) is not installed")

from residua.data.image import BadImage, read_image
from residua.errors import nearest
from residua.serve.app import make_app
from residua.serve.limits import Limits
from residua.serve.metrics import Metrics
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


@pytest.fixture
def models():
    return InstantModels()


@pytest.fixture
def client(models):
    """Makes a client of an application: options of ``make_app``, and fields of Limits."""
    from starlette.testclient import TestClient

    def make(limits=None, **options):
        app = make_app(models, limits=limits or Limits(), metrics=Metrics(), **options)
        return TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)

    return make


def png(value=255, size=(8, 8)) -> bytes:
    out = io.BytesIO()
    Image.new("L", size, value).save(out, "png")
    return out.getvalue()


@pytest.fixture
def white():
    return png()


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Makes a weight file of a small network; another seed makes another network."""
    torch = pytest.importorskip("torch")
    from residua.loading import create_model
    from residua.weights.model_files import save_model

    def make(path: Path | None = None, seed: int = 0) -> Path:
        torch.manual_seed(seed)
        model = create_model("cifar_resnet8", num_classes=2, in_channels=1)
        path = path or tmp_path_factory.mktemp("weights") / "tones.safetensors"
        about = {"shape": [1, 8, 8], "mean": [0.5], "std": [0.5], "classes": list(CLASSES)}
        save_model(path, model, about)
        return path

    return make
