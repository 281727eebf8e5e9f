"""Evaluation batches in turns: what several processes see is, together, what one sees."""

import pytest
import torch

from residua.data import load_data


@pytest.mark.parametrize("source", ["digits", "text", "scenes:boxes"])
@pytest.mark.parametrize("limit", [None, 5])
def test_turns_hold_every_batch_once_and_in_order(source, limit):
    data = load_data(source)
    whole = [_first(batch) for batch in data.eval_batches("test", 37, limit=limit)]
    turns = [
        [_first(batch) for batch in data.eval_batches("test", 37, limit=limit, turn=(rank, 3))]
        for rank in range(3)
    ]
    assert sum(map(len, turns)) == len(whole)
    for place, expected in enumerate(whole):
        assert torch.equal(turns[place % 3][place // 3], expected)


def _first(batch):
    return batch.images if hasattr(batch, "images") else batch[0]
