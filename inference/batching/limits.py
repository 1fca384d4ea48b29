# SPDX-License-Identifier: Apache-2.0
"""How large a batch and its key-value cache are, on this device and for this model."""

from dataclasses import dataclass
from typing import Any, Final

from inference.settings import ModelRefused

MIB: Final = 2**20

# On a CPU the cache is memory the whole machine shares. 128 MiB hold 21,000 tokens of the parrot; a larger
# model that is served in earnest from a CPU is given more (--kv-cache-mib).
CPU_CACHE_MIB: Final = 128
# A CPU is busy with few jobs; more in one batch only make each of them slower.
CPU_RUNNING: Final = 32
GPU_RUNNING: Final = 256
# Tokens of one step. A long prompt is read in parts of this size, between which the other jobs go on.
CPU_STEP_TOKENS: Final = 512
# With sdpa a GPU needs a mask of step tokens by cache tokens; transformers' own 8,192 would fill the memory with it.
GPU_STEP_TOKENS: Final = 2048
# A GPU reads whole pages. A CPU reads token by token, and small pages waste less behind a short answer.
CPU_PAGE_TOKENS: Final = 32
GPU_PAGE_TOKENS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """What one batch may hold."""

    page_tokens: int
    pages: int | None  # None: as many as fit the GPU's free memory
    step_tokens: int
    running: int


def cache_bytes_per_token(config: Any, itemsize: int) -> int:
    """A key and a value for each layer and key head."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * size * itemsize)


def batch_limits(
    *,
    on_gpu: bool,
    bytes_per_token: int,
    context_tokens: int,
    cache_mib: int | None = None,
    most_running: int | None = None,
) -> BatchLimits:
    """The limits, as asked for or by default. Raises ModelRefused where the cache would not hold a single page."""
    page = GPU_PAGE_TOKENS if on_gpu else CPU_PAGE_TOKENS
    running = most_running or (GPU_RUNNING if on_gpu else CPU_RUNNING)
    step = max(running, GPU_STEP_TOKENS if on_gpu else CPU_STEP_TOKENS)
    if on_gpu and cache_mib is None:
        return BatchLimits(page_tokens=page, pages=None, step_tokens=step, running=running)
    asked = (cache_mib or CPU_CACHE_MIB) * MIB // (page * bytes_per_token)
    if asked < 1:
        raise ModelRefused(
            f"the key-value cache of {cache_mib or CPU_CACHE_MIB} MiB does not hold {page} tokens of this model, "
            f"which need {page * bytes_per_token // MIB + 1} MiB: give --kv-cache-mib"
        )
    # More than every running job's whole context is never used.
    useful = running * -(-context_tokens // page)
    return BatchLimits(page_tokens=page, pages=min(asked, useful), step_tokens=step, running=running)
