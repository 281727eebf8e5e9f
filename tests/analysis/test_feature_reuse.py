import copy
import math

import pytest
import torch
from torch import nn

from residua.analysis.cka import gram, similarities
from residua.analysis.dense_weights import source_shares, source_weights, without_source
from residua.analysis.feature_reuse import feature_reuse
from residua.errors import UsageError
from residua.looks import look
from residua.nn import Concat, Residual, dense_layer
from residua.registry import build, model_spec


def _cka(x, y, debiased=True):
    return float(similarities([gram(x), gram(y)], debiased=debiased)[0, 1])


def _features(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_cka_is_the_cosine_of_centred_covariances():  # Kornblith et al. 2019, table 1: linear CKA
    x, y = _features(20, 6), _features(20, 4, seed=1)
    y[:, 0] += 2 * x[:, 1]
    a, b = x - x.mean(0), y - y.mean(0)
    expected = (b.T @ a).norm() ** 2 / ((a.T @ a).norm() * (b.T @ b).norm())
    assert _cka(x, y, debiased=False) == pytest.approx(float(expected))


@pytest.mark.parametrize("debiased", [True, False])
def test_similarities_centre_what_is_not_centred(debiased):
    features = [_features(20, 6) + 5, _features(20, 4, seed=1) + 5]
    raw = similarities([x @ x.T for x in features], debiased=debiased)
    assert torch.allclose(raw, similarities([gram(x) for x in features], debiased=debiased))
    assert abs(float(raw[0, 1])) < 0.5


@pytest.mark.parametrize("debiased", [True, False])
def test_cka_knows_no_turn_scale_or_shift(debiased):
    x, y = _features(30, 5) + 0.5, _features(30, 7, seed=1).relu()
    turn = torch.linalg.qr(_features(5, 5, seed=2))[0]
    expected = _cka(x, y, debiased=debiased)
    assert _cka(x @ turn * 3 + 100, y, debiased=debiased) == pytest.approx(expected)
    assert _cka(x, x @ turn * 3 - 7, debiased=debiased) == pytest.approx(1)
    assert abs(expected) < 0.6
    # without centring the shift alone would make any two layers alike
    assert abs(_cka(x + 1e3, y + 1e3, debiased=debiased) - expected) < 1e-6


def test_the_unbiased_estimate_of_unrelated_features_is_about_zero():
    x, y = _features(40, 2000), _features(40, 2000, seed=1)
    assert _cka(x, y, debiased=False) > 0.9
    assert abs(_cka(x, y)) < 0.05


def test_the_unbiased_estimate_is_song_et_als():
    x, y = _features(12, 3), _features(12, 2, seed=1)

    def hsic(a, b):  # Song et al. 2012, eq. 5
        n, one = 12, torch.ones(12, dtype=torch.float64)
        k, m = a @ a.T, b @ b.T
        k, m = k - k.diag().diag(), m - m.diag().diag()
        return (
            (k @ m).trace()
            + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
            - 2 / (n - 2) * (one @ k @ m @ one)
        ) / (n * (n - 3))

    expected = hsic(x, y) / (hsic(x, x) * hsic(y, y)).sqrt()
    assert _cka(x, y) == pytest.approx(float(expected))


def test_cka_refuses_other_images_and_too_few():
    with pytest.raises(UsageError, match="same images"):
        _cka(_features(5, 2), _features(6, 2))
    with pytest.raises(UsageError, match="at least 4"):
        _cka(_features(3, 2), _features(3, 2))
    assert math.isnan(_cka(torch.ones(5, 2), _features(5, 2)))


def _case(name="cifar_resnet14", **changes):
    torch.manual_seed(0)
    model = build(model_spec(name, in_channels=1, **changes)).eval()
    return model, torch.randn(12, 1, 8, 8)


@torch.no_grad()
@pytest.mark.parametrize("debiased", [True, False])
def test_units_add_and_keep_what_they_do(debiased):
    model, images = _case(widths=[4, 6, 8])
    found = feature_reuse(model, images, debiased=debiased)
    x, outputs = model.stem(images), []
    for stage in model.stages:
        for unit in stage:
            y, shortcut = unit(x), unit.shortcut(x)
            got = found.units[len(outputs)]
            assert got.kind == "residual"
            assert got.ratio == pytest.approx(float(unit.branch(x).norm() / shortcut.norm()), rel=1e-4)
            assert got.cka == pytest.approx(_cka(x, y, debiased=debiased), rel=1e-4)
            outputs.append(gram(y))
            x = y
    expected = similarities(outputs, debiased=debiased)
    assert torch.allclose(torch.tensor(found.similarity), expected.float(), atol=1e-4)
    assert found.units[1].cka == pytest.approx(found.similarity[0][1], rel=1e-4)  # consecutive


def test_a_unit_that_adds_nothing_keeps_everything():
    unit = Residual(nn.Linear(3, 3))
    nn.init.zeros_(unit.branch.weight)
    nn.init.zeros_(unit.branch.bias)
    (got,) = feature_reuse(nn.Sequential(unit), torch.randn(6, 3)).units
    assert got.ratio == 0
    assert got.cka == pytest.approx(1)


def test_a_plain_unit_has_no_ratio():
    model, images = _case("cifar_plain14")
    found = look("reuse", model, images, torch.zeros(12, dtype=torch.int64))
    assert [row[1:3] for row in found.rows] == [("plain", None)] * 6
    assert found.values["mean_ratio"] is None
    assert "No unit has a shortcut" in found.sentence
    assert len(found.panels) == 2


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_afterwards_as_before(training):
    model, images = _case()
    model.train(training)
    before = copy.deepcopy(model.state_dict())
    feature_reuse(model, images)
    assert all(module.training is training for module in model.modules())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_what_has_no_units_is_one_line():
    with pytest.raises(UsageError, match="no residual units"):
        feature_reuse(nn.Linear(2, 2), torch.randn(5, 2))


def test_weights_by_source_layer():
    block = [dense_layer(2 + 3 * index, 3, bottleneck=0) for index in range(3)]
    after = nn.Conv2d(11, 4, 1)
    with torch.no_grad():
        for conv in [*(unit.branch.conv1 for unit in block), after]:
            signs = torch.where(torch.rand_like(conv.weight) < 0.5, -1.0, 1.0)
            sources = [0] * 2 + [1 + i // 3 for i in range(conv.weight.shape[1] - 2)]
            conv.weight.copy_(signs * (torch.tensor(sources) + 1.0)[:, None, None])
    model = nn.Sequential(
        nn.Conv2d(1, 2, 1), *block, nn.BatchNorm2d(11), after, nn.Flatten(), nn.Linear(4, 2)
    )
    found = source_weights(model)
    assert [one.layer for one in found] == ["1", "2", "3", "5"]
    assert found[-1].sources == ("input", "1", "2", "3")
    assert [one.weights for one in found] == [(1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)]
    first, last = source_shares(found)
    assert first == pytest.approx((1 / 2 + 1 / 2.5) / 2)
    assert last == pytest.approx((3 / 2 + 4 / 2.5) / 2)


def test_a_source_is_taken_from_the_layers_that_have_several():
    block = [dense_layer(2 + 3 * index, 3, bottleneck=0) for index in range(3)]
    model = nn.Sequential(nn.Conv2d(1, 2, 1), *block, nn.Conv2d(11, 4, 1), nn.Flatten(), nn.Linear(4, 2))
    for source, lost in (("input", {"2": (0, 2), "3": (0, 2)}), ("last", {"2": (2, 5), "3": (5, 8)})):
        cut = without_source(model, source)
        for name, kept in model.named_parameters():
            start, end = lost.get(name.partition(".")[0], (0, 0)) if kept.ndim == 4 else (0, 0)
            expected = kept.detach().clone()
            if end:
                expected[:, start:end] = 0
            assert torch.equal(cut.get_parameter(name), expected), (source, name)


def test_an_untrained_dense_net_feels_no_loss_that_chance_does_not_explain():
    """The weights that the paper draws are even before the training too: they are no evidence of use."""
    torch.manual_seed(0)
    model = build(model_spec("densenet_tiny", in_channels=1, num_classes=10)).eval()
    found = look("source_lesions", model, torch.randn(40, 1, 8, 8), torch.arange(40) % 10).values
    assert found["weight_of_last_layer"] == pytest.approx(1, abs=0.1)
    assert abs(found["cut_input"]) < 15
    assert abs(found["cut_last"]) < 15
    with pytest.raises(UsageError, match="no dense layers"):
        look("source_lesions", nn.Flatten(), torch.randn(4, 1, 2, 2), torch.zeros(4, dtype=torch.int64))


def test_a_dense_net_has_a_map_for_each_block():
    model, images = _case("densenet_tiny")
    found = source_weights(model)
    assert [one.block for one in found] == [0] * 4 + [1] * 4 + [2] * 4
    assert [one.layer for one in found[3::4]] == [
        "stages.1.transition.conv",
        "stages.2.transition.conv",
        "head.fc",
    ]
    looked = look("reuse", model, images, torch.zeros(12, dtype=torch.int64))
    assert [panel.title for panel in looked.panels[3:]] == [f"Dense block {i}" for i in (1, 2, 3)]
    z = looked.panels[3].surface.z
    assert (len(z), len(z[0])) == (4, 4)
    assert [math.isnan(value) for value in z[3]] == [True, True, True, False]
    assert z[0][0] == pytest.approx(
        float(model.stages[0][0].branch.conv1.weight.detach().abs().mean()), rel=1e-5
    )
    assert "dense block" in looked.sentence


def test_a_dense_layer_that_does_not_take_all_is_refused():
    model = nn.Sequential(
        Residual(nn.Conv2d(2, 2, 1), merge=Concat(2)), Residual(nn.Conv2d(2, 2, 1), merge=Concat(2))
    )
    with pytest.raises(UsageError, match="takes 2 maps"):
        source_weights(model)
    assert source_weights(nn.Linear(2, 2)) == []
