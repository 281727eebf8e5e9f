import numpy as np
import pytest

from residua.deploy.evidence import Images
from residua.deploy.quantization import choose, points
from residua.evaluation.metrics import paired_interval

LAYERS = tuple("abcdefgh")


class Quantizer:
    """Layers that each spoil the answers of some images once they are int8."""

    layers = LAYERS

    def __init__(self, harm):
        self.harm, self.written = harm, []

    def write(self, folder, floats):
        self.written.append(floats)
        lost = sum(self.harm.get(name, 0) for name in set(LAYERS) - floats)
        (folder / "lost").write_text(str(lost))


def images(count=100):
    pixels = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    return Images(pixels=pixels, labels=np.zeros(count, np.int64), of="validation images")


def opened(folder):
    lost = int((folder / "lost").read_text())

    def run(pixels):
        wrong = pixels[:, 0, 0, 0] < lost
        logits = np.where(wrong[:, None], [[0.0, 1.0 + lost]], [[1.0, 0.0]]).astype(np.float32)
        return {"logits": logits}

    return run


EXPECTED = np.tile(np.float32([[1, 0]]), (100, 1))


def chosen(harm, max_drop=0.5):
    said = []
    quantizer = Quantizer(harm)
    choice = choose(quantizer, lambda: quantizer, opened, EXPECTED, images(), max_drop, said.append)
    return choice, quantizer, said


def test_without_a_loss_everything_is_int8():
    choice, quantizer, said = chosen({})
    assert (choice.floats, choice.drop, choice.kept) == (frozenset(), 0, True)
    assert (quantizer.written, said) == ([frozenset()], [])


def test_the_layer_that_hurts_stays_float():
    choice, _, said = chosen({"c": 40, "f": 1})
    assert choice.kept is False or choice.floats >= {"c"}
    choice, _, said = chosen({"c": 40}, max_drop=0.5)
    assert (choice.floats, choice.kept) == (frozenset("c"), True)
    assert "int8 loses 40.00 points on 100 validation images" in said[0]
    assert "with 1 of 8 layers in float32 it loses 0.00 points" in said[-1]


def test_a_loss_that_is_allowed_is_kept():
    choice, _, _ = chosen({"c": 40}, max_drop=40)
    assert (choice.floats, choice.drop, choice.kept) == (frozenset(), pytest.approx(40), True)


def test_where_every_layer_hurts_nothing_is_quantised():
    choice, _, _ = chosen(dict.fromkeys(LAYERS, 5))
    assert not choice.kept
    assert choice.drop == pytest.approx(20), "half of the layers were tried as float"


def test_points_and_their_interval():
    right = np.arange(200) < 180
    worse = right & (np.arange(200) >= 4)
    assert points(_logits(right), _logits(worse), images(200)) == pytest.approx(2.0)
    low, high = paired_interval(right, worse)
    assert -0.05 < low < -0.02 < high < 0.01
    low, high = paired_interval(right, right)
    assert low == pytest.approx(-high)
    assert high < 0.011, "equal answers: the change is as good as none"


def _logits(right):
    return np.where(right[:, None], [[1, 0]], [[0, 1]])
