"""Weight files that say what their images are."""

import pytest
import torch

from residua.loading import create_model
from residua.weights.model_files import save_model

MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
CLASSES = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu"]


@pytest.fixture
def weights(tmp_path):
    """Makes a weight file that says what its images are."""

    def make(**about):
        torch.manual_seed(0)
        about = {"shape": [3, 16, 16], "mean": MEAN, "std": STD, "classes": CLASSES, **about}
        channels = about["shape"][0] if about["shape"] else 3
        model = create_model("cifar_resnet8", num_classes=7, in_channels=channels)
        path = tmp_path / "w.safetensors"
        save_model(path, model, {key: value for key, value in about.items() if value is not None})
        return path, model.eval()

    return make
