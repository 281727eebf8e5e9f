import io

import numpy as np
import pytest
import torch
from PIL import Image

from residua.data import read_image
from residua.data.image import preprocess
from residua.deploy import Predictor
from residua.errors import ResiduaError, UsageError
from residua.loading import create_model
from residua.weights.model_files import save_model

MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]  # as conftest's weight file has them
CLASSES = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu"]


@pytest.fixture
def photo():
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    return Image.fromarray(pixels)


def reference(model, image, size=16):
    """Prepared by hand."""
    pixels = torch.from_numpy(preprocess(read_image(image), size, 3).copy())[None] / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    with torch.no_grad():
        return model((pixels - mean) / std)[0].softmax(0)


def test_probabilities_are_those_of_the_prepared_image(weights, photo):
    path, model = weights()
    found = Predictor(path)(photo, k=7)
    expected = reference(model, photo)
    assert [label for label, _ in found] == [CLASSES[i] for i in expected.argsort(descending=True)]
    assert [p for _, p in found] == pytest.approx(sorted(expected.tolist(), reverse=True), abs=1e-5)
    assert sum(p for _, p in found) == pytest.approx(1)


def test_every_form_of_an_image_gives_the_same(weights, photo, tmp_path):
    predictor = Predictor(weights()[0])
    path, memory = tmp_path / "photo.png", io.BytesIO()
    photo.save(path)
    photo.save(memory, "png")
    forms = [photo, path, str(path), memory.getvalue(), np.asarray(photo)]
    expected = predictor(photo)
    assert len(expected) == 5
    for form in forms:
        assert predictor(form) == expected
    assert [p[0][0] for p in predictor.predict(forms, k=1)] == [expected[0][0]] * 5


def test_an_image_of_the_networks_size_is_taken_as_it_is(weights):
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    assert np.array_equal(Predictor(weights()[0]).prepare(pixels), pixels.transpose(2, 0, 1))


def test_more_images_than_a_batch(weights, photo):
    found = Predictor(weights()[0]).predict([photo] * 70, k=1)
    assert len(found) == 70
    assert {prediction[0][0] for prediction in found} == {found[0][0][0]}


@pytest.mark.parametrize("shape", [(5, 9), (5, 9, 1), (5, 9, 3)])
def test_grey_networks_see_grey(weights, shape):
    path, _ = weights(shape=[1, 8, 8], mean=[0.5], std=[0.5])
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert Predictor(path).prepare(image).shape == (1, 8, 8)
    assert len(Predictor(path)(image, k=3)) == 3


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4), np.uint8),
        b"",
        b"no image",
    ],
)
def test_bad_images_are_one_line(weights, image):
    with pytest.raises(ResiduaError) as caught:
        Predictor(weights()[0])(image)
    assert "\n" not in str(caught.value)


def test_without_names_classes_are_numbers(weights, photo):
    assert {label for label, _ in Predictor(weights(classes=None)[0])(photo, k=9)} == set("0123456")


@pytest.fixture
def volumes(tmp_path):
    """A weight file of a network for volumes (1, 4, 16, 16), and the network."""
    torch.manual_seed(0)
    model = create_model("r3d_tiny", num_classes=2, in_channels=1)
    about = {"shape": [1, 4, 16, 16], "mean": [0.4], "std": [0.2], "classes": ["sick", "well"]}
    save_model(tmp_path / "volumes.safetensors", model, about)
    return tmp_path / "volumes.safetensors", model.eval()


def test_volumes_are_scaled_as_in_training(volumes, tmp_path):
    path, model = volumes
    predictor, random = Predictor(path), np.random.default_rng(0)
    whole = random.integers(0, 256, (4, 16, 16), np.uint8)
    real = random.normal(0.4, 0.2, (1, 4, 16, 16))
    np.save(tmp_path / "whole.npy", whole)
    found = predictor.predict([tmp_path / "whole.npy", str(tmp_path / "whole.npy"), whole, real])
    for volume, got in ((whole[None] / 255, found[0]), (real, found[3])):
        with torch.no_grad():
            expected = model((torch.from_numpy(volume).float()[None] - 0.4) / 0.2)[0].softmax(0)
        assert dict(got) == pytest.approx(
            dict(zip(["sick", "well"], expected.tolist(), strict=True)), abs=1e-5
        )
    assert found[0] == found[1] == found[2]
    assert predictor.suffixes == {".npy"}


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        (np.zeros((4, 16, 15)), "its shape is 1x4x16x15, not 1x4x16x16"),
        (np.zeros((16, 16)), "its shape is 16x16, not D x H x W"),
        (np.full((4, 16, 16), np.nan), "not finite"),
        (np.zeros((4, 16, 16), complex), "not real numbers"),
        (np.array([None]), "not real numbers"),
        (b"bytes", "a volume is a path or an array, not bytes"),
        ("none.npy", "No such file"),
    ],
)
def test_bad_volumes_are_one_line(volumes, volume, message):
    with pytest.raises(ResiduaError, match=message) as caught:
        Predictor(volumes[0])(volume)
    assert "\n" not in str(caught.value)


def test_networks_that_name_no_class_are_refused(tmp_path):
    about = {"shape": [1, 64, 64], "mean": [0.5], "std": [0.5]}
    save_model(tmp_path / "d.safetensors", create_model("detector_tiny"), about)
    with pytest.raises(UsageError, match="is trained for detection and gives images no class"):
        Predictor(tmp_path / "d.safetensors")


@pytest.mark.parametrize("missing", [{"shape": None}, {"mean": None, "std": None}])
def test_a_file_that_does_not_tell_its_images_is_refused(weights, missing):
    with pytest.raises(ResiduaError, match="does not tell the size, mean and std"):
        Predictor(weights(**missing)[0])


def test_wrong_uses_are_one_line(weights, photo):
    with pytest.raises(UsageError, match="at least 1"):
        Predictor(weights()[0])(photo, k=0)
    with pytest.raises(ResiduaError, match="134,217,728 values at most"):
        Predictor(weights(shape=[3, 100_000, 100_000])[0])
    with pytest.raises(ResiduaError, match="neither grey nor colour squares"):
        Predictor(weights(shape=[3, 16, 20])[0])
    with pytest.raises(UsageError, match="device"):
        Predictor(weights()[0], device="abacus")
