import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from residua.errors import ResiduaError, UsageError
from residua.registry import build, model_spec
from residua.weights.model_files import (
    Weights,
    adapt,
    build_model,
    read_about,
    read_tensors,
    read_weights,
    save_model,
    save_tensors,
)

SPEC = model_spec("cifar_resnet8", widths=[4, 6, 8], num_classes=3)


def _model(**changes):
    torch.manual_seed(0)
    return build(SPEC.change(**changes))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_model(path, _model(), {"classes": ["a", "b", "c"], "mean": [0.5, 0.5, 0.5]})
    return path


def test_a_model_comes_back_as_it_was(file):
    weights = read_weights(file)
    assert weights.spec == SPEC
    assert weights.data["classes"] == ["a", "b", "c"]
    model, again = _model().eval(), build_model(weights)
    x = torch.randn(2, 3, 16, 16)
    assert not again.training
    assert all(p.requires_grad for p in again.parameters())
    assert torch.equal(model(x), again(x))


def test_the_header_is_read_without_the_tensors(file):
    assert read_about(file)["spec"]["name"] == SPEC.name


@given(st.integers(0, 10_000))
def test_a_truncated_file_is_named(file, tmp_path_factory, length):
    path = tmp_path_factory.mktemp("cut") / "cut.safetensors"
    content = file.read_bytes()
    path.write_bytes(content[: min(length, len(content) - 1)])
    with pytest.raises(ResiduaError) as caught:
        read_tensors(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=300))
def test_any_other_bytes_are_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("noise") / "noise.safetensors"
    path.write_bytes(content)
    with pytest.raises(ResiduaError):
        read_weights(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ResiduaError, match=r"cannot read .*missing\.safetensors"):
        read_tensors(tmp_path / "missing.safetensors")


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({}, "holds no residua model spec"),
        ({"spec": "resnet18"}, "must name its 'family'"),
        ({"spec": ["resnet18"]}, "must name its 'family'"),
        ({"spec": {"family": "resnt"}}, "unknown model family"),
        ({"spec": {"family": "resnet", "depths": [1]}}, "equally long"),
    ],
)
def test_a_header_that_is_no_spec_gets_one_line(tmp_path, about, message):
    path = tmp_path / "other.safetensors"
    save_tensors(path, {"a": torch.zeros(1)}, about)
    with pytest.raises(ResiduaError, match=message):
        read_weights(path)


def test_weights_that_do_not_fit_their_spec_get_one_line():
    tensors = _model().state_dict()
    tensors["stem.conv.weight"] = torch.zeros(4, 1, 3, 3)
    with pytest.raises(
        ResiduaError, match=r"do not fit cifar_resnet8: size mismatch for stem\.conv\.weight"
    ) as caught:
        build_model(Weights(tensors, SPEC))
    assert "\n" not in str(caught.value)


def test_another_number_of_classes_gets_a_fresh_classifier():
    model, source = _model(num_classes=5), _model()
    fresh = model.head.fc.weight.clone()
    done = adapt(model, Weights(source.state_dict(), SPEC))
    assert torch.equal(model.head.fc.weight, fresh)
    assert torch.equal(model.stem.conv.weight, source.stem.conv.weight)
    assert done.fresh == (
        "head.fc.weight (5 classes, the weights have 3)",
        "head.fc.bias (5 classes, the weights have 3)",
    )
    assert f"{done.loaded} tensors loaded" in str(done)


def test_other_input_channels_keep_the_response_to_grey_images():
    model, source = _model(in_channels=1), _model()
    done = adapt(model, Weights(source.state_dict(), SPEC))
    assert done.changed == ("stem.conv.weight adapted from 3 to 1 channels",)
    grey = torch.randn(2, 1, 16, 16)
    assert torch.allclose(model.stem.conv(grey), source.stem.conv(grey.expand(-1, 3, -1, -1)), atol=1e-5)


@pytest.mark.parametrize("changes", [{"widths": [4, 6, 10]}, {"depths": [1, 1, 2]}, {"shortcut": "B"}])
def test_another_network_is_refused(changes):
    with pytest.raises(UsageError, match=r"the weights (are )?of cifar_resnet8") as caught:
        adapt(_model(**changes), Weights(_model().state_dict(), SPEC))
    assert "\n" not in str(caught.value)


def test_weights_with_more_than_the_network_are_refused():
    with pytest.raises(UsageError, match="it has no stages"):
        adapt(_model(), Weights(_model(depths=[1, 1, 2]).state_dict(), SPEC))


def test_nothing_in_a_file_is_executed(tmp_path):
    """The format has no room for code: what is not a tensor or text is refused when it is written."""
    with pytest.raises(TypeError):
        save_tensors(tmp_path / "x.safetensors", {}, {"spec": object()})
    assert not list(tmp_path.iterdir())


def test_a_network_without_its_classifier_can_be_saved_and_loaded(tmp_path):
    model = build(model_spec("cifar_resnet8"))
    model.reset_classifier(0)
    save_model(tmp_path / "features.safetensors", model)
    loaded = build_model(read_weights(tmp_path / "features.safetensors"))
    assert loaded(torch.randn(2, 3, 32, 32)).shape == (2, 64)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (torch.nn.DataParallel, "a network of create_model was expected, not a DataParallel"),
        (torch.compile, "no longer the cifar_resnet8 of its spec: stem.conv.weight"),
        (lambda model: model.head.register_module("fc", torch.nn.Linear(8, 9)) or model, "head.fc.weight"),
        (lambda model: model.register_buffer("more", torch.ones(1)) or model, "more is not as it was built"),
    ],
    ids=["wrapped", "compiled", "another layer", "another tensor"],
)
def test_what_could_not_be_loaded_is_not_saved(tmp_path, change, said):
    with pytest.raises(UsageError, match=said):
        save_model(tmp_path / "model.safetensors", change(_model()))
    assert not list(tmp_path.iterdir())
