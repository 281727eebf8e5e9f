"""Weight files: one that says what its images are, and its artifact; one that knows the digits without a training."""

import pytest
import torch

from residua.data import load_data, normalize
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


@pytest.fixture(scope="session")
def digits_weights(tmp_path_factory):
    """A ``cifar_resnet8`` that gets some nine in ten right without a training: the last layer is least squares."""
    torch.manual_seed(0)
    digits = load_data("digits")
    model = create_model("cifar_resnet8", in_channels=1, widths=(32, 64, 128)).train()
    images, labels = digits.train.read(range(len(digits.train)))
    x = normalize(images, digits.mean, digits.std)
    with torch.no_grad():
        for _ in range(30):  # statistics of the norms
            model(x[:128])
        model.eval()
        features = torch.cat(
            [model.forward_head(model.forward_features(x), pre_logits=True), torch.ones(len(x), 1)], 1
        )
        wanted = 10 * torch.nn.functional.one_hot(labels, 10).float()
        solution = torch.linalg.lstsq(features.double(), wanted.double()).solution.float()
        model.head.fc.weight.copy_(solution[:-1].T)
        model.head.fc.bias.copy_(solution[-1])
    path = tmp_path_factory.mktemp("weights") / "digits.safetensors"
    save_model(path, model, digits.about())
    return path
