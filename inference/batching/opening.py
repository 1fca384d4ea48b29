# SPDX-License-Identifier: Apache-2.0
"""An engine over a loaded model."""

from inference.batching.limits import batch_limits, cache_bytes_per_token
from inference.batching.paged import PagedBatch
from inference.batching.writing import Writer
from inference.engine import Engine
from inference.job import Job
from inference.load import EngineObserver
from inference.loading import LoadedModel


def open_engine(
    loaded: LoadedModel,
    *,
    queue_size: int,
    cache_mib: int | None = None,
    most_running: int | None = None,
    observer: EngineObserver | None = None,
) -> Engine:
    """The engine, not started. Raises ModelRefused where the cache cannot be as small as asked for."""
    limits = batch_limits(
        on_gpu=loaded.model.device.type == "cuda",
        bytes_per_token=cache_bytes_per_token(loaded.model.config.get_text_config(), loaded.model.dtype.itemsize),
        context_tokens=loaded.context_tokens,
        cache_mib=cache_mib,
        most_running=most_running,
    )
    held = loaded.context_tokens if limits.pages is None else limits.pages * limits.page_tokens

    def write(job: Job) -> Writer:
        return Writer(job, decode=loaded.decode, end_tokens=loaded.end_tokens)

    return Engine(
        lambda: PagedBatch(loaded.model, limits=limits, end_tokens=loaded.end_tokens),
        write=write,
        context_tokens=min(loaded.context_tokens, held),
        most_running=limits.running,
        queue_size=queue_size,
        observer=observer,
    )
