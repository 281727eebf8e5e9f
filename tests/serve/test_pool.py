"""The pool with workers that are no processes: who gets a batch, and what happens when a worker dies."""

import asyncio

import pytest
from tests.serve.instant import InstantPool

from residua.errors import ResiduaError
from residua.serve import pool as module
from residua.serve.batching import Batching, Options
from residua.serve.limits import Limits
from residua.serve.metrics import Metrics
from residua.serve.pool import Pool
from residua.serve.refused import Refused
from residua.serve.worker import Answered, Failed


class Stub:
    """A worker that answers when it is told to; ``b"poison"`` kills it."""

    made: list["Stub"]

    def __init__(self, pool):
        self.facts, self.jobs, self.batches, self._pool = None, {}, [], pool
        self.process = type(
            "Process", (), {"exitcode": -9, "join": lambda *_: None, "is_alive": lambda _: False}
        )()
        Stub.made.append(self)
        asyncio.get_running_loop().call_soon(pool.heard, self, InstantPool.facts)

    on_trial = module.Worker.on_trial

    def send(self, batch, jobs):
        self.jobs[batch.number] = jobs
        self.batches.append([image for image, _ in batch.images])

    def done(self, number):
        return self.jobs.pop(number)

    def stop(self):
        pass

    def compute(self):
        number, jobs = next(iter(self.jobs.items()))
        if any(job.image == b"poison" for job in jobs):
            self._pool.lost(self)
        else:
            answers = [{"label": job.image.decode()} for job in jobs]
            self._pool.heard(self, Answered(number=number, answers=answers, seconds=0))


@pytest.fixture(autouse=True)
def stubs(monkeypatch):
    Stub.made = []
    monkeypatch.setattr(module, "Worker", Stub)


def served(steps, *, limits=None, **batching):
    """Run ``steps(pool, ask)`` with a pool that has started."""

    async def run():
        pool = Pool(
            "m",
            "m",
            batching=Batching(**{"max_delay": 0.0, **batching}),
            limits=limits or Limits(),
            metrics=Metrics(),
        )
        await pool.start()

        def ask(*images, seconds=5.0):
            return asyncio.create_task(pool.answer(images, Options(), seconds))

        return await steps(pool, ask)

    return asyncio.run(run())


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_busy_worker_gets_full_batches_alone_and_no_more_than_two():
    async def steps(pool, ask):
        asked = [ask(b"1")]
        await settle()
        asked.append(ask(b"2"))
        await settle()
        (worker,) = Stub.made
        assert worker.batches == [[b"1"]], "what is less than a batch waits until the worker is free"
        asked.append(ask(b"3", b"4", b"5"))
        await settle()
        assert worker.batches == [[b"1"], [b"2", b"3"]], "a full one is sent ahead"
        for _ in range(3):
            worker.compute()
        assert worker.batches[2:] == [[b"4", b"5"]]
        return [[answer["label"] for answer in await one] for one in asked]

    assert served(steps, max_batch=2) == [["1"], ["2"], ["3", "4", "5"]]


def test_images_wait_for_others_while_nothing_is_computed():
    async def steps(pool, ask):
        first = ask(b"1")
        await asyncio.sleep(0.05)
        second = ask(b"2")
        await settle()
        assert Stub.made[0].batches == []
        await asyncio.sleep(0.3)
        assert Stub.made[0].batches == [[b"1", b"2"]]
        Stub.made[0].compute()
        await first
        await second

    served(steps, max_batch=8, max_delay=0.2)


def test_an_image_that_kills_workers_is_refused_and_the_others_are_answered():
    async def steps(pool, ask):
        asked = [ask(b"good"), ask(b"poison"), ask(b"fine")]
        await settle()
        for _ in range(8):
            await asyncio.sleep(0.15)
            for worker in list(Stub.made):
                if worker in pool._workers and worker.jobs:
                    worker.compute()
        return [(await one)[0] for one in asked]

    good, poison, fine = served(steps, max_batch=8, max_delay=0.01)
    assert (good, fine) == ({"label": "good"}, {"label": "fine"})
    assert isinstance(poison, Refused)
    assert (poison.status, poison.reason) == (503, "2 workers died while they had this image")
    assert len(Stub.made) == 3, "it was tried twice, alone at last"


def test_who_waits_too_long_is_told_so_and_leaves_the_queue():
    async def steps(pool, ask):
        running = ask(b"1")
        await settle()
        with pytest.raises(Refused, match="no answer within") as refused:
            await ask(b"2", seconds=0.05)
        assert refused.value.status == 504
        assert len(pool.queue) == 0
        Stub.made[0].compute()
        return await running

    assert served(steps) == [{"label": "1"}]


def test_a_full_queue_is_told_so():
    async def steps(pool, ask):
        asked = [ask(b"1")]
        await settle()
        asked.append(ask(b"2", b"3"))
        await settle()
        with pytest.raises(Refused, match="try again") as refused:
            await ask(b"4")
        assert refused.value.status == 429
        Stub.made[0].compute()
        Stub.made[0].compute()
        await asyncio.gather(*asked)

    served(steps, limits=Limits(queue=2))


def test_closing_answers_what_waits():
    async def steps(pool, ask):
        asked = [ask(b"1"), ask(b"2")]
        await settle()
        closing = asyncio.create_task(pool.close())
        for _ in range(2):
            await asyncio.sleep(0.05)
            if Stub.made[0].jobs:
                Stub.made[0].compute()
        await closing
        with pytest.raises(Refused, match="stopping"):
            await ask(b"3")
        return [await one for one in asked]

    assert served(steps) == [[{"label": "1"}], [{"label": "2"}]]


def test_a_model_that_cannot_be_opened_is_an_error_and_is_not_tried_again(monkeypatch):
    class Broken(Stub):
        def __init__(self, pool):
            self._pool, self.jobs, self.facts = pool, {}, None
            self.process = type("Process", (), {"exitcode": 0})()
            Stub.made.append(self)
            loop = asyncio.get_running_loop()
            loop.call_soon(pool.heard, self, Failed(reason="it is damaged"))
            loop.call_soon(pool.lost, self)

    monkeypatch.setattr(module, "Worker", Broken)
    with pytest.raises(ResiduaError, match="it is damaged"):
        served(None)
    assert len(Stub.made) == 1
