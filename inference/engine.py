# SPDX-License-Identifier: Apache-2.0
"""The engine: a bounded queue before a batch, and a supervisor that opens the batch again when it dies.

Rules
    The queue is bounded: a job that would have to wait for too many others is refused at once.
    A job that could not fit the context or the cache never reaches the batch.
    An answer nobody waits for any more leaves the batch at the next step, and a queued one never begins.
    When the batch dies, the answers in it fail, those that wait stay in the queue, and the engine is not ready until
    there is a new batch. Every answer ends, in one way or another.

Threads
    `submit` and `cancel` come from event loops. One thread of the engine, the supervisor, opens the batch, reads what
    arrives, writes text and ends answers. The batch has the thread that runs the model. `_lock` guards the two tables
    of tickets; whoever takes a ticket out of them ends its answer.
"""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from inference.answer import Answer, EngineBusy, EngineDown, GenerationFailed
from inference.batching.batch import Batch, BatchDied, Progress
from inference.batching.tickets import Pace, Ticket, Watch
from inference.batching.writing import Writer
from inference.job import Finished, FinishReason, Job
from inference.load import EngineLoad, EngineObserver, Outcome, Unobserved

log = structlog.get_logger()

# How often the supervisor looks whether the generation thread is alive while nothing arrives.
TICK_S: Final = 0.2
# The pause before a new batch, after each death in a row; a finished answer sets it back. A request that kills its
# batch costs the first; a lost GPU must not keep a core busy.
FIRST_PAUSE_S: Final = 0.1
LAST_PAUSE_S: Final = 30.0
# No step takes this long. A thread that makes none is lost, and cannot be ended from outside.
STALLED_S: Final = 300.0


class Engine:
    """Takes jobs, and runs as many of them at once as the batch holds, in the order they came."""

    def __init__(
        self,
        open_batch: Callable[[], Batch],
        *,
        write: Callable[[Job], Writer],
        context_tokens: int,
        most_running: int,
        queue_size: int,
        observer: EngineObserver | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.context_tokens = context_tokens
        self._open_batch = open_batch
        self._write = write
        self._most_running = most_running
        self._queue_size = queue_size
        self._observer = observer or Unobserved()
        self._clock = clock
        self._pace = Pace(clock)
        self._lock = threading.Lock()
        self._waiting: dict[str, Ticket] = {}
        self._running: dict[str, Ticket] = {}
        self._batch: Batch | None = None  # None: there is none, and nothing is admitted
        self._number = 0
        self._stopping = threading.Event()
        self._lost = False  # the generation thread hangs: only a new process helps
        self._opened = threading.Event()
        self._refused: Exception | None = None
        # A daemon: a generation that hangs in a kernel must not keep a stopped server from ending.
        self._thread = threading.Thread(target=self._supervise, name="engine", daemon=True)

    def start(self) -> None:
        """Opens the batch. Raises what opening it raises: an engine that cannot begin is never started."""
        self._thread.start()
        self._opened.wait()
        if self._refused is not None:
            raise self._refused

    def submit(self, job: Job) -> Answer:
        """Queues the job. MUST be called on the event loop that reads the answer. Raises EngineBusy or EngineDown."""
        return self.submit_all((job,))[0]

    def submit_all(self, jobs: Sequence[Job]) -> list[Answer]:
        """Queues the jobs of one request, all or none: they count as one for the bound of the queue."""
        if not all(self._fits(job) for job in jobs):
            raise ValueError("a job is longer than the context: admission must not let it come so far")
        with self._lock:
            if self._batch is None or not self._batch.is_alive:
                raise EngineDown
            if len(self._waiting) >= self._queue_size and len(self._running) >= self._most_running:
                raise EngineBusy(retry_after_s=self._pace.wait_s(len(self._waiting) + 1))
            tickets = [self._ticket(job) for job in jobs]
            self._waiting |= {ticket.key: ticket for ticket in tickets}
            self._fill()
        return [ticket.answer for ticket in tickets]

    def load(self) -> EngineLoad:
        with self._lock:
            kept_out = self._batch.waiting if self._batch else 0
            kept_out = min(kept_out, len(self._running))
            return EngineLoad(
                waiting=len(self._waiting) + kept_out,
                running=len(self._running) - kept_out,
                cache_usage=self._batch.cache_usage if self._batch else 0.0,
            )

    @property
    def is_ready(self) -> bool:
        batch = self._batch
        return batch is not None and batch.is_alive

    def stop(self, *, timeout_s: float) -> None:
        """Ends what runs at its next token, and what waits without beginning it."""
        self._stopping.set()
        for ticket in self._take_all():
            self._end(ticket, _cancelled(ticket))
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _fits(self, job: Job) -> bool:
        return len(job.prompt) + job.max_tokens <= self.context_tokens

    def _ticket(self, job: Job) -> Ticket:
        self._number += 1
        key = str(self._number)
        return Ticket(
            key=key,
            job=job,
            seed=secrets.randbits(63) if job.seed is None else job.seed,
            answer=Answer(job, on_cancel=lambda: self._cancel(key)),
            writer=self._write(job),
            submitted_at=self._clock(),
        )

    def _fill(self) -> None:
        """Lets waiting jobs into the batch while it has room. The lock is held."""
        while self._batch is not None and self._waiting and len(self._running) < self._most_running:
            ticket = self._waiting.pop(next(iter(self._waiting)))
            self._running[ticket.key] = ticket
            self._batch.add(ticket.key, ticket.job, seed=ticket.seed)
            self._observer.begun(prompt_tokens=len(ticket.job.prompt), queue_s=self._clock() - ticket.submitted_at)

    def _take(self, key: str, *, leaves_batch: bool) -> Ticket | None:
        """Takes the job out. None if somebody else ends it."""
        with self._lock:
            if key in self._waiting:
                return self._waiting.pop(key)
            ticket = self._running.pop(key, None)
            if ticket is not None and leaves_batch and self._batch is not None:
                self._batch.cancel(key)
        return ticket

    def _take_all(self) -> list[Ticket]:
        """Takes every job out and admits no more."""
        with self._lock:
            batch, self._batch = self._batch, None
            tickets = [*self._running.values(), *self._waiting.values()]
            self._running, self._waiting = {}, {}
        if batch is not None:
            for ticket in tickets:
                batch.cancel(ticket.key)
            batch.wake()
        return tickets

    def _cancel(self, key: str) -> None:
        if (ticket := self._take(key, leaves_batch=True)) is not None:
            self._end(ticket, _cancelled(ticket))
        with self._lock:
            self._fill()

    def _end(self, ticket: Ticket, ended: Finished | GenerationFailed) -> None:
        outcome = Outcome(ended.reason) if isinstance(ended, Finished) else Outcome.FAILED
        self._pace.ended()
        after_s, first_s = self._clock() - ticket.submitted_at, ticket.first_token_after_s
        count = ticket.writer.count
        self._observer.ended(outcome, completion_tokens=count, after_s=after_s, first_token_after_s=first_s)
        ticket.answer.put(ended)

    def _supervise(self) -> None:
        try:
            self._keep_serving()
        finally:
            self._opened.set()

    def _keep_serving(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                batch = self._open_batch()
                batch.start()
            except Exception as exc:  # noqa: BLE001 - whatever it is, this thread is what tries again
                if not self._opened.is_set():
                    self._refused = exc
                    return
                log.error("batch_not_opened", error=type(exc).__name__)  # noqa: TRY400 - the text may quote content
                self._fail(self._take_all())
                finished = 0
            else:
                finished = self._serve(batch)
                self._lost |= not batch.close()
            pause_s = FIRST_PAUSE_S if finished else min(LAST_PAUSE_S, 2 * pause_s)
            if self._lost or self._stopping.wait(pause_s):
                return

    def _serve(self, batch: Batch) -> int:
        """Serves from this batch until it dies or the engine stops. How many answers it finished."""
        with self._lock:
            if self._stopping.is_set():
                return 0
            self._batch = batch
            self.context_tokens = min(self.context_tokens, batch.cache_tokens)
            # A new batch may find less memory than the one before: who fitted then may not fit now.
            too_long = [ticket for ticket in self._waiting.values() if not self._fits(ticket.job)]
            for ticket in too_long:
                del self._waiting[ticket.key]
            self._fill()
        self._fail(too_long)
        self._opened.set()
        finished = 0
        watch = Watch(self._clock)
        try:
            while not self._stopping.is_set():
                finished += self._write_all(batch.arrived(timeout_s=TICK_S))
                if watch.is_stalled(batch.steps, busy=bool(self._running), after_s=STALLED_S):
                    log.error("generation_stalled", seconds=STALLED_S)
                    self._lost = True
                    self._fail(self._take_all())
                    return finished
        except BatchDied:
            pass
        except Exception as exc:  # noqa: BLE001 - a fault of ours ends this batch, not the thread that serves everybody
            log.error("supervision_failed", error=type(exc).__name__)  # noqa: TRY400 - the text may quote content
        with self._lock:
            self._batch = None
            orphans, self._running = list(self._running.values()), {}
        self._fail(orphans)
        return finished

    def _fail(self, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            log.error("generation_failed", prompt_tokens=len(ticket.job.prompt), completion_tokens=ticket.writer.count)
            self._end(ticket, GenerationFailed())

    def _write_all(self, arrived: Sequence[Progress]) -> int:
        before = after = finished = 0
        for progress in arrived:
            ticket = self._running.get(progress.key)
            if ticket is None:
                continue
            before += ticket.writer.count
            finished += self._write_one(ticket, progress)
            after += ticket.writer.count
        if after > before:
            self._observer.tokens(after - before)
        # Where one failed the batch is about to die, and who waits had better wait for the next one.
        if not any(progress.failed for progress in arrived):
            with self._lock:
                self._fill()
        return finished

    def _write_one(self, ticket: Ticket, progress: Progress) -> int:
        """Gives the answer its new text, and ends it where it ends. 1 if it is finished."""
        begins = ticket.writer.count == 0
        text = ticket.writer.feed(progress.tokens)
        if begins and ticket.writer.count:
            ticket.first_token_after_s = self._clock() - ticket.submitted_at
            self._observer.first_token(after_s=ticket.first_token_after_s)
        if text:
            ticket.answer.put(text)
        if not (progress.ended or ticket.writer.stopped):
            return 0
        if self._take(ticket.key, leaves_batch=not progress.ended) is None:
            return 0
        if progress.failed:
            self._fail([ticket])
            return 0
        rest, finished = ticket.writer.finish()
        if rest:
            ticket.answer.put(rest)
        self._end(ticket, finished)
        return 1


def _cancelled(ticket: Ticket) -> Finished:
    return Finished(reason=FinishReason.CANCELLED, completion_tokens=ticket.writer.count)
