"""A run folder on the digits, made by hand: what a training leaves, without the training."""

import pytest
import torch

from residua.data import load_data
from residua.files import write_json
from residua.registry import build, model_spec
from residua.spec import DataSpec, Recipe
from residua.weights.model_files import save_model


@pytest.fixture(scope="session")
def digits():
    return load_data("digits")


def about(data):
    return {
        "kind": data.kind,
        "classes": list(data.classes),
        "shape": list(data.shape),
        "mean": list(data.mean),
        "std": list(data.std),
    }


@pytest.fixture
def make_model():
    """An untrained network whose batch statistics matter."""

    def make(seed=0, **changes):
        torch.manual_seed(seed)
        model = build(model_spec("cifar_resnet8", **{"in_channels": 1, **changes})).eval()
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
        return model

    return make


@pytest.fixture
def make_run(tmp_path, make_model, digits):
    """A finished run folder of a network on some data."""

    def make(name="run", *, seed=0, data=digits, precision="float32", **changes):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        model = make_model(
            seed, **{"in_channels": data.shape[0], "num_classes": len(data.classes), **changes}
        )
        files = {
            "spec": model.spec.to_dict(),
            "recipe": Recipe().to_dict(),
            "plan": {
                "device": "cpu",
                "precision": precision,
                "threads": 1,
                "workers": 0,
                "channels_last": True,
                "compile": "off",
                "torch": "",
                "instruction_set": "",
                "processor": "",
            },
            "data": {**data.identity, **about(data), "spec": data.spec.to_dict()},
            "env": {"seed": seed, "limit_batches": None, "sessions": []},
            "result": {
                "model": "",
                "primary": "accuracy",
                "test_accuracy": 0.5,
                "test_images": 1,
                "seconds": 1,
                "epochs": 1,
                "parameters": 1,
            },
        }
        for file, content in files.items():
            write_json(folder / f"{file}.json", content)
        save_model(folder / "model.safetensors", model, about(data))
        return folder

    return make


@pytest.fixture
def image_folder(tmp_path):
    """Makes a folder of random 16-pixel colour images: two classes, a train and a test part."""
    import numpy as np
    from PIL import Image

    def make(name="images", *, classes=("cat", "dog"), size=16, count=6):
        random = np.random.default_rng(0)
        for part in ("train", "test"):
            for label in classes:
                folder = tmp_path / name / part / label
                folder.mkdir(parents=True)
                for i in range(count):
                    pixels = random.integers(0, 256, (size, size, 3), np.uint8)
                    Image.fromarray(pixels).save(folder / f"{i}.png")
        return tmp_path / name

    return make


@pytest.fixture
def folder_data(image_folder):
    """``Data`` of such a folder."""
    return lambda **options: load_data(DataSpec(source=str(image_folder(**options))))
