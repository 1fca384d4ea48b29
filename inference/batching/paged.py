# SPDX-License-Identifier: Apache-2.0
"""One batch on transformers' continuous batching manager.

Facts (transformers 5.23; each has a test)
    A prompt that the cache cannot hold ends the generation thread for good. So does any error of the model.
    A cancelled request frees its blocks and sends no last message.
    When the cache is full, requests are taken out and begun again later, and new ones wait until one *finishes*. If the
    others are cancelled instead, that never happens, and those taken out would wait for ever.
    Its logger prints token numbers of prompts, and tracebacks.
    Blocks kept for other requests with the same beginning let one client measure what another has asked, and count as
    used. They are off.
"""

import contextlib
import logging
import queue
from collections.abc import Iterable
from typing import Any, Final

import structlog
from transformers.generation.configuration_utils import ContinuousBatchingConfig, GenerationConfig
from transformers.generation.continuous_batching.continuous_api import ContinuousBatchingManager, OutputRouter
from transformers.generation.continuous_batching.requests import GenerationOutput, RequestStatus

from inference.batching import attention
from inference.batching.batch import BatchDied, Progress
from inference.batching.choice import choosing, processors
from inference.batching.limits import BatchLimits
from inference.job import Job

log = structlog.get_logger()

# How long a step may still take when the thread is told to end.
CLOSE_S: Final = 10

_config: Any = GenerationConfig  # its constructor is untyped


class PagedBatch:
    """A batch over one loaded model. Opening it takes the memory of the cache; nothing runs before `start`."""

    def __init__(self, model: Any, *, limits: BatchLimits, end_tokens: frozenset[int]) -> None:
        logging.getLogger("ContinuousBatchingLogger").setLevel(logging.CRITICAL + 1)
        self._arrived: queue.SimpleQueue[Iterable[GenerationOutput]] = queue.SimpleQueue()
        self._manager = _Batching(
            model,
            _config(do_sample=False, eos_token_id=sorted(end_tokens) or -1, pad_token_id=0),
            ContinuousBatchingConfig(
                page_size=limits.page_tokens,
                num_blocks=limits.pages,
                max_batch_tokens=limits.step_tokens,
                max_requests_per_batch=limits.running,
                allow_block_sharing=False,
                per_request_processors=True,
            ),
        )
        self._manager.logit_processor = processors()
        self._manager.output_router = _Router(self._arrived)
        self._manager.current_batch = 0
        # Builds the cache in this thread, so that an error is raised here, and records the graphs of a GPU.
        self._manager.warmup()
        opened: Any = self._manager.batch_processor
        self._scheduler, self._cache = opened.scheduler, opened.cache

    @property
    def cache_tokens(self) -> int:
        """How many tokens the cache holds, over all jobs."""
        return int(self._cache.max_tokens_read)

    def start(self) -> None:
        """Starts the thread, a daemon where the caller is one: a kernel that hangs keeps no server from ending."""
        self._manager.start()

    def add(self, key: str, job: Job, *, seed: int) -> None:
        if len(job.prompt) + job.max_tokens > self.cache_tokens:
            raise ValueError("a job longer than the cache would end the generation thread")
        self._manager.add_request(
            list(job.prompt),
            request_id=key,
            max_new_tokens=job.max_tokens,
            streaming=True,
            **choosing(job, seed=seed),
        )

    def cancel(self, key: str) -> None:
        self._manager.cancel_request(key)

    def wake(self) -> None:
        self._arrived.put(())

    def arrived(self, *, timeout_s: float) -> list[Progress]:
        outputs: list[GenerationOutput] = []
        with contextlib.suppress(queue.Empty):
            outputs.extend(self._arrived.get(timeout=timeout_s))
            while True:
                outputs.extend(self._arrived.get_nowait())
        if not outputs and not self.is_alive:
            self._log_death()
            raise BatchDied
        self._let_waiting_in()
        return [_progress(output) for output in outputs]

    @property
    def is_alive(self) -> bool:
        return bool(self._manager.is_running()) and self._manager.background_thread_status.fatal_error is None

    @property
    def steps(self) -> int:
        return int(self._manager.current_batch)

    @property
    def waiting(self) -> int:
        return len(self._scheduler.waiting_requests)

    @property
    def cache_usage(self) -> float:
        return min(1.0, max(0.0, 1.0 - float(self._cache.compute_free_capacity())))

    def close(self) -> bool:
        self._manager.stop(block=True, timeout=CLOSE_S, hard_stop=True)
        if self._manager.is_running():
            return False
        self._manager.destroy()
        return True

    def _let_waiting_in(self) -> None:
        scheduler = self._scheduler
        if scheduler.block_new_requests and not scheduler.active_requests:
            scheduler.block_new_requests = False

    def _log_death(self) -> None:
        error: BaseException | None = self._manager.background_thread_status.fatal_error
        # Where, and of what type: the text may hold what was asked.
        at = error.__traceback__ if error is not None else None
        while at is not None and at.tb_next is not None:
            at = at.tb_next
        where = f"{at.tb_frame.f_code.co_filename.rpartition('/')[2]}:{at.tb_lineno}" if at is not None else None
        log.error("batch_died", error=type(error).__name__ if error is not None else None, at=where)


class _Batching(ContinuousBatchingManager):
    """The manager, with attention for the CPU that does not grow with the square of the batch."""

    def switch_to_cb_friendly_attn(self, model: Any, auto_switch_to_flash: bool = True) -> None:  # noqa: FBT001, FBT002  # its own signature
        if model.device.type == "cpu" and attention.is_plain(model.config.get_text_config()):
            self._original_attn_impl = model.config._attn_implementation  # noqa: SLF001  # as the manager itself does
            model.set_attn_implementation(attention.register())
        else:
            super().switch_to_cb_friendly_attn(model, auto_switch_to_flash)


class _Router(OutputRouter):
    """Hands over what one step gave in one piece."""

    def __init__(self, arrived: "queue.SimpleQueue[Iterable[GenerationOutput]]") -> None:
        super().__init__()
        self._arrived = arrived

    def deliver(self, output: GenerationOutput) -> None:
        self._arrived.put((output,))

    def deliver_batch(self, outputs: list[GenerationOutput]) -> None:
        self._arrived.put(outputs)


def _progress(output: GenerationOutput) -> Progress:
    return Progress(
        key=output.request_id,
        tokens=output.generated_tokens,
        ended=output.is_finished(),
        failed=output.status == RequestStatus.FAILED,
    )
