"""Which axis of an array holds the channels."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from residua.data.layout import channels_last
from residua.errors import UsageError


@given(side=st.integers(4, 12), channels=st.sampled_from([1, 3]), count=st.integers(1, 3))
def test_either_layout_is_told_by_its_shape_and_no_pixel_moves(side, channels, count):
    images = np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)
    for given_so in (images, images.transpose(0, 3, 1, 2), torch.from_numpy(images).permute(0, 3, 1, 2)):
        assert np.array_equal(channels_last(given_so), images)
    assert np.array_equal(channels_last(images[..., 0]), images[..., :1])


@pytest.mark.parametrize(
    ("shape", "layout", "message"),
    [
        ((2, 3, 3, 3), None, "may be NHWC or NCHW: say which"),
        ((2, 1, 1, 1), None, "may be NHWC or NCHW"),
        ((2, 8, 8, 4), None, "with 1 or 3 channels, not"),
        ((2, 8, 8, 3), "NCHW", "uint8 NCHW with 1 or 3 channels"),
        ((2, 8, 8, 3), "HWC", "a layout is 'NHWC' or 'NCHW', not 'HWC'"),
        ((2, 8, 6, 3), None, "square, not 8x6"),
        ((2, 3, 8, 6), None, "square, not 8x6"),
        ((0, 8, 8, 3), None, "images are uint8"),
        ((2, 8), None, "images are uint8"),
    ],
)
def test_what_cannot_be_told_is_refused_in_one_line(shape, layout, message):
    with pytest.raises(UsageError, match=message) as refused:
        channels_last(np.zeros(shape, np.uint8), layout)
    assert "\n" not in str(refused.value)


def test_what_is_named_is_not_guessed():
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 3, 3), np.uint8)
    assert np.array_equal(channels_last(images, "NHWC"), images)
    assert np.array_equal(channels_last(images, "NCHW"), images.transpose(0, 2, 3, 1))


def test_other_types_are_refused():
    for images in (np.zeros((2, 8, 8, 3)), [np.zeros((8, 8)), np.zeros((4, 4))], "cats", None):
        with pytest.raises(UsageError):
            channels_last(images)
