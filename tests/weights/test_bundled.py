"""The network that comes with the package."""

import json
from pathlib import Path

import pytest

from residua.errors import ResiduaError, UsageError
from residua.evaluation import evaluate
from residua.loading import load_model, load_weights, locate
from residua.registry import build, model_spec
from residua.weights import bundled
from residua.weights.model_files import save_model

ROOT = Path(__file__).resolve().parents[2]
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


def test_the_file_is_what_the_committed_run_made():
    evidence = json.loads((ROOT / "benchmarks/results/bundled/result.json").read_text())
    weights = load_weights("bundled")
    assert bundled.FILE.stat().st_size <= 2_000_000
    assert weights.spec == model_spec(evidence["model"])
    assert f"{evidence['test_accuracy']:.2%} of {evidence['test_images']:,} JPEG copies" in weights.notes[0]
    assert (evidence["train_images"], weights.data["shape"]) == (49_000, [3, 32, 32])
    assert weights.data["classes"][:3] == ["airplane", "automobile", "bird"]


def test_it_knows_lossless_images_too(shared):
    """The first 1,017 test images of CIFAR-10, as they were published."""
    assert evaluate("bundled", shared / "data" / "cifar10-head", limit=2).top1 > 0.8


def test_it_says_where_its_data_are_from():
    about = bundled.ABOUT.read_text()
    assert "Krizhevsky" in about
    assert "no published figure" in " ".join(about.split())
