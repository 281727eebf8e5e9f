import pytest

from residua.data.batches.keyed import generator
from residua.errors import UsageError


def test_equal_keys_give_equal_streams_and_other_keys_others() -> None:
    keys = [
        (0, "order", 0),
        (0, "order", 1),
        (1, "order", 0),
        (0, "crop", 0),
        (2**70, "order", 0),
        (0, "order", 0, 1),
    ]
    streams = [tuple(generator(*key).integers(0, 2**60, 4).tolist()) for key in keys]
    assert len(set(streams)) == len(keys)
    assert streams == [tuple(generator(*key).integers(0, 2**60, 4).tolist()) for key in keys]


def test_a_negative_seed_is_one_line() -> None:
    with pytest.raises(UsageError, match="-1"):
        generator(-1, "order")
