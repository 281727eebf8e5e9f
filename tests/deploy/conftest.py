"""Weight files that say what their images are, and an artifact made of one."""

import pytest
import torch

from residua.loading import create_model
from residua.weights.model_files import save_model

MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
CLASSES = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu"]


def save(folder, **changes):
    """A weight file in a folder, and its network."""
    torch.manual_seed(0)
    about = {"shape": [3, 16, 16], "mean": MEAN, "std": STD, "classes": CLASSES, **changes}
    channels = about["shape"][0] if about["shape"] else 3
    model = create_model("cifar_resnet8", num_classes=7, in_channels=channels)
    save_model(
        folder / "w.safetensors", model, {key: value for key, value in about.items() if value is not None}
    )
    return folder / "w.safetensors", model.eval()


@pytest.fixture
def weights(tmp_path):
    """Makes a weight file that says what its images are."""
    return lambda **changes: save(tmp_path, **changes)


@pytest.fixture(scope="session")
def artifact(tmp_path_factory):
    """Such a file's artifact, in ONNX; the file stands beside it."""
    for library in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(library, reason="needs the extra export")
    from residua.deploy.export import export

    folder = tmp_path_factory.mktemp("exported")
    return export(save(folder)[0], out=folder / "artifact")
