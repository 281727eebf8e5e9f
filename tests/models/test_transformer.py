"""The Transformer over text: causal and not, pre- and post-norm, with and without its residuals."""

import math

import pytest
import torch

from residua.analysis.cost import cost
from residua.errors import UsageError
from residua.nn import residual_units
from residua.registry import build, list_models, model_spec


def tiny(**changes):
    torch.manual_seed(0)
    return build(model_spec("transformer_tiny", **changes)).eval()


def text(*shape):
    return torch.randint(256, shape, generator=torch.Generator().manual_seed(1))


def test_parameters_and_multiply_adds_by_hand():
    spec = model_spec("transformer_tiny")
    width, matrices = 64, 2 * 12 * 64**2 + 64 * 256
    counted = cost(spec, spec.usual_input)  # of whole numbers, on the meta device
    rest = (256 + 128) * width + 2 * 13 * width + 2 * width + 256  # embeddings, biases and norms
    assert counted.parameters == matrices + rest == 141_312
    assert counted.multiply_adds == 128 * matrices + spec.layers * 2 * 128**2 * width


def test_every_size_has_four_forms():
    assert len(list_models("transformer_*")) == 12


@pytest.mark.parametrize("name", ["transformer_tiny", "transformer_postnorm_tiny", "transformer_plain_tiny"])
def test_a_language_model_does_not_see_what_it_is_asked_for(name):
    model = build(model_spec(name)).eval()
    tokens = text(2, 20)
    changed = tokens.clone()
    changed[:, 12:] = (changed[:, 12:] + 1) % 256
    before, after = model(tokens), model(changed)
    assert before.shape == (2, 20, 256)
    assert torch.allclose(before[:, :12], after[:, :12], atol=1e-6)
    assert not torch.allclose(before[:, 12:], after[:, 12:], atol=1e-3)


def test_an_encoder_sees_both_sides_and_has_a_mask():
    model, tokens = tiny(causal=False), text(1, 20)
    changed = tokens.clone()
    changed[:, 19] = (changed[:, 19] + 1) % 256
    assert not torch.allclose(model(tokens)[:, 0], model(changed)[:, 0], atol=1e-5)
    assert model(torch.full((1, 20), 256)).isfinite().all()


def test_the_mask_goes_through_every_unit_as_context():
    model, tokens = tiny(causal=False), text(1, 20)
    mask = torch.arange(20)[None] < 15
    masked = model(tokens, mask=mask)[:, :15]
    assert torch.allclose(masked, model(tokens[:, :15]), atol=1e-5)
    assert not torch.allclose(masked, model(tokens)[:, :15], atol=1e-4)


def test_an_untrained_model_guesses_nearly_uniformly():
    tokens = text(8, 128)
    loss = torch.nn.functional.cross_entropy(tiny()(tokens).detach().flatten(0, 1), tokens.flatten())
    assert 7.5 < float(loss) / math.log(2) < 9


def test_the_sum_over_the_units_keeps_its_size_with_depth():
    sizes = {layers: float(tiny(layers=layers).stages(torch.randn(4, 16, 64)).std()) for layers in (2, 32)}
    assert sizes[32] < 1.5 * sizes[2]


def test_two_units_a_layer():
    assert len(residual_units(tiny(layers=5))) == 10


def test_features_are_of_every_position():
    model = tiny(num_classes=0)
    assert model(text(2, 7)).shape == (2, 7, 64)
    model.reset_classifier(5)
    assert model(text(2, 7)).shape == (2, 7, 5)


@pytest.mark.parametrize(
    "tokens", [torch.zeros(2, 129, dtype=torch.long), torch.zeros(2, 8), torch.zeros(8, dtype=torch.long)]
)
def test_what_is_no_text_is_refused_in_one_line(tokens):
    with pytest.raises(UsageError, match=r"takes whole numbers \(N, L\) with L up to 128"):
        tiny()(tokens)
