"""Merges in networks: the parts that name them, in maps and at the positions of Transformers."""

import pytest
import torch

from residua import create_model
from residua.errors import UsageError
from residua.nn import HyperConnection, MeanStreams, ScaledBranch, residual_units
from residua.registry import model_spec
from residua.testing import CHECKS, check_model

# of the dynamic weights of fresh hyper-connections each is zero or has a factor of zero
CHECKED = [check for check in CHECKS if check.name != "gradients_reach_everything"]


@pytest.mark.parametrize("name", ["cifar_resnet8", "vit_digits"])
@pytest.mark.parametrize("merge", ["hyper(2, weights='static')", "hyper(2)"])
def test_a_network_of_hyper_connections_starts_as_the_network_of_one_stream(name, merge):
    plain = create_model(name).eval()
    streams = create_model(name, merge=merge).eval()
    missing, unexpected = streams.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected and all(".merge.weights." in key for key in missing)
    x = torch.randn(2, *plain.spec.usual_input)
    assert torch.allclose(streams(x), plain(x), atol=1e-5)
    firsts = [unit.merge.weights["read"].static.argmax().item() for unit in residual_units(streams).values()]
    assert firsts[:4] == [0, 1, 0, 1][: len(firsts[:4])]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("cifar_resnet8", {"merge": "hyper(2)"}),
        ("cifar_resnet8", {"merge": "hyper(3, weights='constrained')", "order": "full_preact"}),
        ("vit_digits", {"merge": "hyper(2)", "layers": 2}),
        ("vit_digits", {"merge": "layer_scale(0.1)", "layers": 2}),
        ("cifar_resnet8", {"merge": "skip_init(0.1)"}),
    ],
)
def test_networks_of_every_merge_conform(name, changes):
    assert len(check_model(model_spec(name, **changes), checks=CHECKED)) == len(CHECKED)


def test_features_are_maps_of_one_stream():
    net = create_model("cifar_resnet8", merge="hyper(2)").eval()
    x = torch.randn(3, 3, 32, 32)
    last, maps = net.forward_intermediates(x)
    assert isinstance(net.leave, MeanStreams)
    assert [tuple(one.shape) for one in maps] == [(3, 16, 32, 32), (3, 32, 16, 16), (3, 64, 8, 8)]
    assert torch.equal(last, net.forward_features(x))


def test_gains_are_of_channels_and_streams_of_the_shortcuts_channels():
    net = create_model("cifar_resnet8", merge="layer_scale(start=0.5)")
    gains = [unit.merge.gain for unit in residual_units(net).values()]
    assert all(isinstance(unit.merge, ScaledBranch) for unit in residual_units(net).values())
    assert [tuple(gain.shape) for gain in gains] == [(16,), (32,), (64,)]
    assert all(bool((gain == 0.5).all()) for gain in gains)
    units = residual_units(create_model("cifar_resnet8", merge="hyper(4)"))
    second = units["stages.1.0"].merge
    assert isinstance(second, HyperConnection)
    assert {name: part.channels for name, part in second.weights.items()} == {
        "read": 16,
        "mix": 32,
        "write": 32,
    }


@pytest.mark.parametrize(
    ("merge", "message"),
    [
        ("hyper(0)", "merge 'hyper'.n must be above 0"),
        ("hyper(weights='learned')", "weights"),
        ("layer_scale(gain=1)", "has no key 'gain'"),
    ],
)
def test_wrong_options_are_one_line(merge, message):
    with pytest.raises(UsageError, match=message):
        model_spec("cifar_resnet8", merge=merge)


def test_what_takes_maps_alone_or_one_stream_alone_is_refused_elsewhere():
    with pytest.raises(UsageError, match="'coupled' is of maps"):
        model_spec("vit_digits", merge="coupled")
    with pytest.raises(UsageError, match="one stream"):
        model_spec("sngan_digits", merge="hyper(2)")
