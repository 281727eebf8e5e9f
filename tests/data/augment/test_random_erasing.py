import numpy as np
import pytest
import torch

from residua.data.augment.random_erasing import RandomErasing, random_erasing
from residua.errors import UsageError


def erased(count: int, share: float, area, aspect, side: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Of images that were erased, height and width of what is hidden; and whether each was."""
    made = random_erasing(
        torch.ones(count, 2, side, side), share=share, area=area, aspect=aspect, seed=0, step=0
    )
    hidden = (made == 0).numpy()
    assert (hidden[:, 0] == hidden[:, 1]).all()
    rows, columns = hidden[:, 0].any(2).sum(1), hidden[:, 0].any(1).sum(1)
    assert (hidden[:, 0].sum((1, 2)) == rows * columns).all(), "one rectangle each"
    return np.stack([rows, columns], 1)[rows > 0], rows > 0


def test_areas_and_aspects_are_between_the_limits():
    sizes, some = erased(1000, 0.5, (0.02, 0.33), (0.3, 3.3))
    assert 0.44 < some.mean() < 0.56
    areas, aspects = sizes.prod(1) / 1600, sizes[:, 1] / sizes[:, 0]
    assert 0.012 < areas.min() < 0.04 and 0.29 < areas.max() < 0.35
    assert 0.2 < aspects.min() < 0.4 and 2.6 < aspects.max() < 4.2


def test_all_none_or_what_never_fits():
    assert erased(50, 1.0, (0.2, 0.3), (1.0, 1.0))[1].all()
    assert not erased(50, 0.0, (0.2, 0.3), (1.0, 1.0))[1].any()
    assert not erased(50, 1.0, (1.0, 1.0), (3.0, 3.0))[1].any()


@pytest.mark.parametrize(
    "options",
    [{"share": 2}, {"area": (0.5, 0.2)}, {"area": (0, 0.2)}, {"area": (0.1, 1.2)}, {"aspect": (0.3,)}],
)
def test_options_are_refused_in_one_line(options):
    with pytest.raises(UsageError, match="augmentation 'random_erasing'"):
        RandomErasing(**options)
