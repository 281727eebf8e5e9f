"""The workers of one version of a model: batches go to them, answers come back, and who dies is replaced."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from residua.errors import ResiduaError
from residua.serve.batching import Batching, Job, Options, Queue
from residua.serve.limits import Limits
from residua.serve.metrics import Metrics
from residua.serve.refused import Refused
from residua.serve.worker import Answered, Batch, Facts, Failed, work
from residua.user_files import files_in_use

ATTEMPTS = 2  # of an image, before the workers that died with it are its fault
AHEAD = 2  # batches that a worker has: one is computed, one is decoded
PATIENCE = 2  # a batch that takes so many times the limit of an answer is stuck
_LONGEST_PAUSE = 10.0  # seconds before the next attempt to start a worker
_log = logging.getLogger("residua.serve")


class Worker:
    """A process and its pipe, on the side of the server; one thread sends, one receives, and the loop is told."""

    def __init__(self, pool: Pool) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would share locks, sockets and threads
        self._connection, theirs = context.Pipe()
        arguments = (theirs, pool.place, pool.limits, pool.batching.threads, files_in_use())
        self.process = context.Process(target=work, args=arguments, daemon=True)
        self.process.start()
        theirs.close()  # or its end would never be seen
        self.facts: Facts | None = None
        self.jobs: dict[int, list[Job]] = {}  # of each batch that it has
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._sender = ThreadPoolExecutor(1)
        threading.Thread(target=self._receive, daemon=True).start()

    @property
    def on_trial(self) -> bool:
        """Whether it has an image that another worker died with; nothing else is sent to it then."""
        return any(job.attempts for jobs in self.jobs.values() for job in jobs)

    def send(self, batch: Batch, jobs: list[Job]) -> None:
        """Let it compute a batch, and end it if that takes for ever."""
        self.jobs[batch.number] = jobs
        self._timers[batch.number] = self._loop.call_later(
            PATIENCE * self._pool.limits.seconds * len(self.jobs), self.kill
        )
        self._sender.submit(self._send, batch)

    def done(self, number: int) -> list[Job]:
        """Take back the jobs of a batch that is answered."""
        self._timers.pop(number).cancel()
        return self.jobs.pop(number)

    def stop(self) -> None:
        """Let it end once it has sent what it has."""
        for timer in self._timers.values():
            timer.cancel()
        self._sender.submit(self._send, None)
        self._sender.shutdown(wait=False)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    def _send(self, batch: Batch | None) -> None:
        with suppress(OSError):  # it died: the receiver sees that
            self._connection.send(batch)

    def _receive(self) -> None:
        try:
            while True:
                self._tell(self._pool.heard, self, self._connection.recv())
        except (EOFError, OSError):
            self._connection.close()
            self.process.join()
            self._tell(self._pool.lost, self)

    def _tell(self, function: Any, *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(function, *arguments)


class Pool:
    """So many workers with one queue. ``start`` it in the loop that it lives in."""

    def __init__(
        self, name: str, place: str, *, batching: Batching, limits: Limits, metrics: Metrics
    ) -> None:
        self.name, self.place = name, place
        self.batching, self.limits, self._metrics = batching, limits, metrics
        self.queue = Queue(max_batch=batching.max_batch, max_delay=batching.max_delay, limit=limits.queue)
        self.facts: Facts | None = None  # once a worker is ready
        self.closing = False
        self._workers: list[Worker] = []
        self._opened: asyncio.Future[Facts] = asyncio.get_running_loop().create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._number = 0
        self._deaths = 0  # since a worker was last of use

    async def start(self) -> Facts:
        """Start the workers and wait for the first that has opened the model. Raises ResiduaError if none can."""
        for _ in range(self.batching.workers):
            self._workers.append(Worker(self))
        return await self._opened

    @property
    def ready(self) -> bool:
        """Whether a worker is there to compute."""
        return any(worker.facts for worker in self._workers)

    async def answer(
        self, images: Sequence[bytes], options: Options, seconds: float
    ) -> list[dict[str, Any] | Refused]:
        """An answer for each image, in order. Raises Refused if there is no room, or no answer in ``seconds``."""
        if self.closing:
            raise Refused(503, "the server is stopping")
        loop = asyncio.get_running_loop()
        jobs = [Job(image=image, options=options, answer=loop.create_future()) for image in images]
        self.queue.add(jobs)
        self._dispatch()
        try:
            async with asyncio.timeout(seconds):
                return [await job.answer for job in jobs]
        except TimeoutError:
            raise Refused(504, f"no answer within {seconds:g} s") from None
        finally:
            self.queue.leave(jobs)
            for job in jobs:
                job.answer.cancel()

    def heard(self, worker: Worker, said: Facts | Failed | Answered) -> None:
        """Take what a worker has sent."""
        if isinstance(said, Facts):
            worker.facts = self.facts = said
            if not self._opened.done():
                self._opened.set_result(said)
        elif isinstance(said, Failed):
            self._failed(said.reason)
            _log.error("%s cannot be opened: %s", self.name, said.reason)
        else:
            self._deaths = 0
            for job, answer in zip(worker.done(said.number), said.answers, strict=True):
                if not job.answer.done():  # who waits no longer
                    job.answer.set_result(answer)
            self._metrics.computed(self.name, len(said.answers), said.seconds)
        self._dispatch()

    def lost(self, worker: Worker) -> None:
        """Take back what a dead worker had, and start another in its place."""
        if worker not in self._workers:  # it was stopped
            return
        self._workers.remove(worker)
        worker.stop()
        code = worker.process.exitcode
        self._failed(f"{self.place}: its worker ended with exit code {code}")
        jobs = [job for batch in worker.jobs.values() for job in batch if not job.answer.done()]
        for job in jobs:
            job.attempts += 1
            if job.attempts >= ATTEMPTS:
                job.answer.set_result(Refused(503, f"{ATTEMPTS} workers died while they had this image"))
        self.queue.put_back([job for job in jobs if not job.answer.done()])
        if self.closing:
            return
        self._metrics.restarted(self.name)
        pause = min(_LONGEST_PAUSE, 0.1 * 2**self._deaths) if self._deaths else 0.0
        self._deaths += 1
        _log.warning(
            "a worker of %s ended with exit code %s; another starts in %.1f s", self.name, code, pause
        )
        asyncio.get_running_loop().call_later(pause, self._replace)

    def _failed(self, reason: str) -> None:
        """Give up, if no worker has ever opened the model; later ones are tried again."""
        if not self._opened.done():
            self.closing = True
            self._opened.set_exception(ResiduaError(reason))

    def _replace(self) -> None:
        if not self.closing:
            self._workers.append(Worker(self))

    def _dispatch(self) -> None:
        """Send what is due; look again when the next batch is."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self.queue:
            most = 1 if self.queue.retries else AHEAD
            ready = [w for w in self._workers if w.facts and len(w.jobs) < most and not w.on_trial]
            worker = min(ready, key=lambda w: len(w.jobs), default=None)
            if worker is None or (worker.jobs and not self.queue.full):
                return
            due = self.queue.due_in()
            if due > 0 and not self.queue.full:
                self._timer = asyncio.get_running_loop().call_later(due, self._dispatch)
                return
            self._number += 1
            jobs = self.queue.take()
            worker.send(Batch(number=self._number, images=[(j.image, j.options) for j in jobs]), jobs)

    async def close(self) -> None:
        """Finish what waits, then end the workers."""
        end = time.monotonic() + self.limits.seconds
        while (self.queue or any(w.jobs for w in self._workers)) and time.monotonic() < end:
            await asyncio.sleep(0.01)
        self.closing = True
        workers, self._workers = self._workers, []
        for job in self.queue.clear() + [j for w in workers for batch in w.jobs.values() for j in batch]:
            if not job.answer.done():
                job.answer.set_result(Refused(503, "the server is stopping"))
        for worker in workers:
            worker.stop()
        for worker in workers:
            await asyncio.to_thread(worker.process.join, 2.0)
            if worker.process.is_alive():
                worker.kill()
