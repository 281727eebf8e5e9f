"""A network that knows the digits without a training: fresh features, and the least squares of a last layer."""

import pytest
import torch

from residua.data import load_data, normalize
from residua.loading import create_model
from residua.weights.model_files import save_model


@pytest.fixture(scope="session")
def digits_weights(tmp_path_factory):
    """The weight file of a ``cifar_resnet8`` that gets some nine in ten of the digits right."""
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
