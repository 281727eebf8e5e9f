import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from residua.errors import UsageError
from residua.evaluation.views import View, make_views


def test_the_plain_view_changes_nothing():
    images = torch.rand(2, 3, 8, 8)
    assert View()(images) is images


def test_flip_mirrors_left_and_right():
    images = torch.arange(6.0).view(1, 1, 2, 3)
    assert View(flip=True)(images).tolist() == [[[[2, 1, 0], [5, 4, 3]]]]


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([0.5, 0.9, 1, 1.25, 2]), st.booleans())
def test_a_scale_gives_that_size(height, width, scale, flip):
    shape = View(scale=scale, flip=flip)(torch.rand(1, 3, height, width)).shape
    assert shape[2:] == (max(round(height * scale), 1), max(round(width * scale), 1))


@given(st.integers(1, 40), st.sampled_from(make_views(ten_crop=True)))
def test_crops_keep_the_size(side, view):
    assert view(torch.rand(2, 1, side, side)).shape == (2, 1, side, side)


def test_crops_show_their_corner():
    # a bright corner of an eighth is gone from the crop at the opposite corner, and is seen in its own
    images = torch.zeros(1, 1, 32, 32)
    images[:, :, :4, :4] = 1
    assert View(crop="bottom right")(images).max() == 0
    assert View(crop="centre")(images)[0, 0, 0, 0] > 0
    assert View(crop="top left")(images)[0, 0, :4, :4].min() == 1
    assert View(crop="top right")(images).max() == 0 or View(crop="top right")(images)[0, 0, 0, 0] == 0


def test_ten_crops_are_ten_and_combine_with_scales():
    views = make_views(ten_crop=True)
    assert len(set(views)) == 10
    assert sum(view.flip for view in views) == 5
    assert len(make_views(flip=True, scales=(0.9, 1.0, 1.1))) == 6
    assert make_views() == (View(),)
    assert [str(view) for view in make_views(flip=True, scales=(1.1,))] == [
        "whole x1.1",
        "whole mirrored x1.1",
    ]


@pytest.mark.parametrize("scales", [(), (0.0,), (-1.0,), (1.0, 1.0), (float("nan"),), (1e9,)])
def test_wrong_scales_are_refused(scales):
    with pytest.raises(UsageError, match="scale"):
        make_views(scales=scales)


def test_a_shift_moves_down_and_right_and_mirrors_at_the_border():
    images = torch.arange(16.0).view(1, 1, 4, 4)
    assert View(shift=1)(images)[0, 0].tolist() == [[5, 4, 5, 6], [1, 0, 1, 2], [5, 4, 5, 6], [9, 8, 9, 10]]
    assert View(shift=-1)(images)[0, 0, 0].tolist() == [5, 6, 7, 6]
    assert [str(view) for view in make_views(shift=2)] == ["whole", "whole shifted -2", "whole shifted +2"]
    assert len(make_views(shift=1, flip=True)) == 6
    with pytest.raises(UsageError, match="4x4 pixels cannot be shifted by 4"):
        View(shift=4)(images)
    with pytest.raises(UsageError, match="a shift is 0 or more"):
        make_views(shift=-1)


def test_an_unknown_crop_is_refused():
    with pytest.raises(UsageError, match="not 'middle'"):
        View(crop="middle")
