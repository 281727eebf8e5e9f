"""An application around a model that needs no torch, and a small network for whole servers."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "httpx")
MISSING = [module for module in NEEDED if find_spec(module) is None]
# test_needs.py alone can do without them, and is skipped with the reason for all
_OTHERS = [path.name for path in Path(__file__).parent.glob("test_*.py") if path.name != "test_needs.py"]
collect_ignore = _OTHERS if MISSING else []


@pytest.fixture
def models():
    from tests.serve.instant import InstantModels

    return InstantModels()


@pytest.fixture
def client(models):
    """Makes a client of an application: options of ``make_app``, and fields of Limits."""
    from starlette.testclient import TestClient

    from residua.serve.app import make_app
    from residua.serve.limits import Limits
    from residua.serve.metrics import Metrics

    def make(limits=None, **options):
        app = make_app(models, limits=limits or Limits(), metrics=Metrics(), **options)
        return TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)

    return make


@pytest.fixture
def white():
    from tests.serve.instant import png

    return png()


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Makes a weight file of a small network; another seed makes another network."""
    import torch
    from tests.serve.instant import CLASSES

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
