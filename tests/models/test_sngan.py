"""The SNGAN pairs: the counts of the paper's tables, shapes, and that every keyword does what it says."""

import pytest
import torch
from torch import nn

from residua.analysis.cost import cost
from residua.errors import UsageError
from residua.nn import BranchOnly, residual_units
from residua.nn.spectral import SpectralConv2d, SpectralLinear, SpectralNorm
from residua.registry import build, list_models, model_spec, spec_from_dict


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return build(model_spec("sngan_tiny"))


# Counted by hand after Miyato et al. 2018, Tables 4 and 5; the docstring of the family has the first, layer by layer.
@pytest.mark.parametrize(
    ("name", "generator", "discriminator"),
    [("sngan_cifar", 4_276_739, 1_053_825), ("sngan_stl", 4_878_083, 10_141_441)],
)
def test_parameters_are_those_of_the_tables(name, generator, discriminator):
    with torch.device("meta"):
        pair = build(model_spec(name))
    assert (parameters(pair.generator), parameters(pair.discriminator)) == (generator, discriminator)


@pytest.mark.parametrize("name", list_models("*sngan*"))
def test_every_pair_makes_images_of_its_size_and_scores_them(name):
    spec = model_spec(name)
    with torch.device("meta"):
        pair = build(spec)
        images = pair.generator(torch.empty(2, spec.latent))
    assert images.shape == (2, *spec.image_shape)
    assert pair.discriminator(images).shape == (2,)
    assert spec_from_dict(spec.to_dict()) == spec
    units = residual_units(pair)
    assert len(units) == len(spec.generator) - 1 + len(spec.discriminator)
    assert all(isinstance(unit.merge, BranchOnly) == name.startswith("plain") for unit in units.values())


def test_images_are_within_one_and_follow_the_latent(tiny):
    images = tiny.sample(4)
    assert images.abs().max() <= 1
    assert not torch.equal(images[0], images[1])
    with pytest.raises(UsageError, match=r"latents \(N, 8\), got \(4, 9\)"):
        tiny(torch.randn(4, 9))


def test_every_layer_of_the_discriminator_is_normalised_and_none_of_the_generator(tiny):
    kinds = {type(m) for m in tiny.discriminator.modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    assert kinds == {SpectralConv2d, SpectralLinear}
    assert not any(isinstance(m, SpectralNorm) for m in tiny.generator.modules())
    without = build(model_spec("sngan_tiny", spectral_norm=False))
    assert not any(isinstance(m, SpectralNorm) for m in without.modules())
    assert parameters(without) == parameters(tiny)


def test_the_singular_vectors_are_those_of_the_initial_weights(tiny):
    for layer in tiny.eval().discriminator.modules():
        if isinstance(layer, SpectralNorm):
            exact = torch.linalg.svdvals(layer.normalized().flatten(1))[0]
            assert exact.item() == pytest.approx(1, abs=0.1)  # 15 steps of power iteration


def test_without_spectral_norm_the_discriminator_is_no_longer_bounded(tiny):
    """Ten times the weights give the same scores under the normalisation (but for biases, zero at the start)."""
    images = tiny.sample(3)
    free = build(model_spec("sngan_tiny", spectral_norm=False))
    free.load_state_dict(tiny.state_dict(), strict=False)
    for pair, same in ((tiny.eval(), True), (free.eval(), False)):
        before = pair.discriminator(images)
        for parameter in pair.discriminator.parameters():
            parameter.data *= 10
        assert torch.allclose(pair.discriminator(images), before, atol=1e-5) == same


def test_a_discriminator_score_is_the_formula_of_the_paper():
    """The first unit written out: no ReLU before the image, pooling after the branch; the shortcut in either order."""
    torch.manual_seed(0)
    unit = build(model_spec("sngan_tiny", spectral_norm=False)).discriminator.units[0]
    x = torch.randn(2, 1, 8, 8)
    pool = nn.AvgPool2d(2)
    branch = pool(unit.branch.conv2(unit.branch.conv1(x).relu()))
    torch.testing.assert_close(unit(x), branch + pool(unit.shortcut.conv(x)))


def test_a_generator_unit_is_the_formula_of_the_paper():
    unit = build(model_spec("sngan_tiny")).eval().generator.units[0]
    x, up = torch.randn(2, 16, 2, 2), nn.Upsample(scale_factor=2)
    h = unit.branch.conv1(up(unit.branch.norm1(x).relu()))
    h = unit.branch.conv2(unit.branch.norm2(h).relu())
    torch.testing.assert_close(unit(x), h + unit.shortcut.conv(up(x)))


def test_drop_path_reaches_every_unit_and_zero_changes_nothing():
    units = residual_units(build(model_spec("sngan_tiny", drop_path=0.4))).values()
    assert [unit.drop_path.rate for unit in units] == [0.2, 0.4, 0.2, 0.4]
    torch.manual_seed(3)
    plain = build(model_spec("sngan_tiny"))
    torch.manual_seed(3)
    zero = build(model_spec("sngan_tiny", drop_path=0.0, drop_path_mode="batch"))
    latent = torch.randn(2, 8)
    assert torch.equal(plain(latent), zero(latent))


def test_it_can_be_counted(tiny):
    counted = cost(tiny, tiny.spec.usual_input)
    assert counted.parameters == parameters(tiny)
    assert {part.part for part in counted.parts} == {"generator", "discriminator"}
    assert tiny.spec.input_shape((1, 8, 8)) == (8,)
    layers = sum(isinstance(m, nn.Conv2d | nn.Linear) for m in tiny.modules())
    assert tiny.spec.depth == layers - sum("shortcut.conv" in name for name, _ in tiny.named_modules())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator": [16]}, "a unit"),
        ({"discriminator": []}, "a unit"),
        ({"halvings": 3}, "2 units cannot halve 8 px 3 times"),
        ({"bottom": 1, "generator": [4, 4], "halvings": 2}, "cannot halve 2 px 2 times"),
        ({"critic_steps": 0}, "critic_steps must be above 0"),
        ({"drop_path": 1.0}, r"\[0, 1\)"),
        ({"drop_path": 0.1, "merge": "branch_only"}, "no shortcut to fall back on"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        model_spec("sngan_tiny", **changes)
