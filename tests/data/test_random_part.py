import numpy as np
import pytest

from residua.data.batches.keyed import generator
from residua.data.random_part import drawn_part, random_part


def test_random_parts_have_the_stated_areas_and_aspects() -> None:
    random = generator(0, "parts")
    parts = [random_part(1000, 800, random) for _ in range(300)]
    areas = np.array([w * h / 800_000 for _, _, w, h in parts])
    aspects = np.array([w / h for _, _, w, h in parts])
    assert 0.079 < areas.min() < 0.15 and 0.85 < areas.max() <= 1
    assert aspects.min() > 0.74 and aspects.max() < 1.34
    assert all(x >= 0 and y >= 0 and x + w <= 1000 and y + h <= 800 for x, y, w, h in parts)


def test_what_never_fits_is_the_centred_square_or_nothing() -> None:
    assert random_part(1000, 10, generator(0, "parts")) == (495, 0, 10, 10)
    assert drawn_part(1000, 10, generator(0, "parts"), (0.5, 1.0), (1.0, 1.0)) is None


@pytest.mark.parametrize(("area", "aspect"), [((0.25, 0.3), (1.0, 1.0)), ((0.5, 0.5), (2.0, 2.0))])
def test_ranges_of_ones_own_are_kept(area, aspect) -> None:
    random = generator(0, "parts")
    for _ in range(50):
        _, _, width, height = drawn_part(400, 300, random, area, aspect) or (0, 0, 0, 0)
        assert area[0] - 0.01 < width * height / 120_000 < area[1] + 0.01
        assert aspect[0] - 0.02 < width / height < aspect[1] + 0.02
