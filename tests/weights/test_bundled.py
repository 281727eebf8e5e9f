"""The network that comes with the package."""

import pytest

from residua.errors import ResiduaError, UsageError
from residua.loading import load_model, load_weights, locate
from residua.registry import build, model_spec
from residua.weights import bundled
from residua.weights.model_files import save_model

NAMES = ("bundled", "bundled:cifar_resnet20")


@pytest.mark.parametrize("name", NAMES)
def test_both_names_mean_the_file_of_the_package(name, monkeypatch, tmp_path):
    file = tmp_path / "one.safetensors"
    save_model(file, build(model_spec("cifar_resnet20")), {"notes": ["of a test"]})
    monkeypatch.setattr(bundled, "FILE", file)
    assert locate(name) == file
    assert load_weights(name).notes == ("of a test",)
    assert load_model(name).spec.name == "cifar_resnet20"


def test_a_file_of_that_name_is_a_file(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    save_model("bundled", build(model_spec("cifar_resnet8")))
    assert load_weights("bundled").spec.name == "cifar_resnet8"
    assert bundled.is_bundled("bundled:cifar_resnet20")


def test_another_network_is_refused():
    with pytest.raises(UsageError, match="comes with the package is bundled:cifar_resnet20"):
        load_weights("bundled:resnet50")


def test_a_package_without_the_file_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(bundled, "FILE", tmp_path / "gone.safetensors")
    with pytest.raises(ResiduaError, match=r"lacks gone\.safetensors"):
        load_weights("bundled")


def test_it_says_where_its_data_are_from():
    about = bundled.ABOUT.read_text()
    assert "Krizhevsky" in about
    assert "no published figure" in " ".join(about.split())
