import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.serve.batching import Job, Options, Queue
from residua.serve.refused import Refused


def jobs(count, attempts=0):
    loop = asyncio.new_event_loop()
    made = [Job(image=bytes([i]), options=Options(), answer=loop.create_future()) for i in range(count)]
    loop.close()
    for job in made:
        job.attempts = attempts
    return made


@given(counts=st.lists(st.integers(1, 9), max_size=20), size=st.integers(1, 8))
def test_batches_keep_the_order_and_lose_nothing(counts, size):
    queue, sent, taken = Queue(max_batch=size, max_delay=0, limit=1000), [], []
    for count in counts:
        new = jobs(count)
        queue.add(new)
        sent += new
        taken.append(queue.take())
    while queue:
        taken.append(queue.take())
    assert [job for batch in taken for job in batch] == sent
    assert all(len(batch) <= size for batch in taken)


def test_the_queue_takes_all_images_of_a_request_or_none():
    queue = Queue(max_batch=8, max_delay=0, limit=5)
    queue.add(jobs(3))
    with pytest.raises(Refused, match="3 images wait already, and 5 may") as refused:
        queue.add(jobs(3))
    assert refused.value.status == 429
    assert len(queue) == 3
    queue.add(jobs(2))
    assert len(queue) == 5


def test_an_image_that_a_worker_died_with_goes_first_and_alone():
    queue = Queue(max_batch=8, max_delay=60, limit=9)
    new, retried = jobs(3), jobs(2, attempts=1)
    queue.add(new)
    assert queue.due_in() > 50
    queue.put_back(retried)
    assert queue.due_in() == 0
    assert [queue.take() for _ in range(3)] == [retried[:1], retried[1:], new]


def test_who_waits_no_longer_leaves():
    queue = Queue(max_batch=8, max_delay=60, limit=9)
    new = jobs(3)
    queue.add(new)
    queue.leave(new[1:2])
    queue.leave(new[1:2])
    assert queue.take() == [new[0], new[2]]
    assert not queue
