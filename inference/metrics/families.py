# SPDX-License-Identifier: Apache-2.0
"""Every metric of the server: the one list that code, reference page and tests are made of.

The `vllm:` names, labels and buckets are those of vLLM's own Prometheus page. vLLM writes `engine` beside `model_name`
on each, the number of its data-parallel engine; here there is one engine for each model, and it is always 0.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. Counters are named with their `_total`, as a scraper sees them."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()


_MODEL: Final = ("model_name", "engine")
_GPU: Final = ("gpu", "uuid")
_UP_TO_WAITING: Final = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0)
_REQUEST_BUCKETS: Final = (*_UP_TO_WAITING, 240.0, 480.0, 960.0, 1920.0, 7680.0)
_TOKEN_BUCKETS: Final = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
_FIRST_TOKEN_BUCKETS: Final = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
    *(160.0, 640.0, 2560.0),
)
# From one window on a GPU to a long text on a core.
_SCREEN_BUCKETS: Final = (*(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),)
_SCREEN_BATCH_BUCKETS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)

RUNNING: Final = Family("vllm:num_requests_running", Kind.GAUGE, _MODEL, "requests in the batch")
WAITING: Final = Family("vllm:num_requests_waiting", Kind.GAUGE, _MODEL, "requests admitted that have not begun")
CACHE_USAGE: Final = Family(
    "vllm:kv_cache_usage_perc", Kind.GAUGE, _MODEL, "share of the key-value cache in use, 0 to 1"
)
PROMPT_TOKENS: Final = Family("vllm:prompt_tokens_total", Kind.COUNTER, _MODEL, "tokens of prompts that were begun")
GENERATED: Final = Family("vllm:generation_tokens_total", Kind.COUNTER, _MODEL, "tokens generated")
FINISHED: Final = Family(
    "vllm:request_success_total",
    Kind.COUNTER,
    (*_MODEL, "finished_reason"),
    "requests that ended: `stop`, `length`, `abort` (the client left, or the server stopped), `error`",
)
FIRST_TOKEN: Final = Family(
    "vllm:time_to_first_token_seconds",
    Kind.HISTOGRAM,
    _MODEL,
    "from admission to the first token",
    _FIRST_TOKEN_BUCKETS,
)
PER_TOKEN: Final = Family(
    "vllm:request_time_per_output_token_seconds",
    Kind.HISTOGRAM,
    _MODEL,
    "mean time of a request's tokens behind its first",
    _TOKEN_BUCKETS,
)
WHOLE: Final = Family(
    "vllm:e2e_request_latency_seconds", Kind.HISTOGRAM, _MODEL, "from admission to the end", _REQUEST_BUCKETS
)
QUEUED: Final = Family(
    "vllm:request_queue_time_seconds", Kind.HISTOGRAM, _MODEL, "from admission to the first step", _REQUEST_BUCKETS
)
THROUGHPUT: Final = Family(
    "gatehouse_inference_generation_tokens_per_second",
    Kind.GAUGE,
    _MODEL,
    "tokens generated a second, over the last 10 s",
)
EMBEDDED: Final = Family(
    "gatehouse_inference_embedded_tokens_total", Kind.COUNTER, ("model_name",), "tokens of texts that were embedded"
)
REFUSED: Final = Family(
    "gatehouse_inference_requests_refused_total",
    Kind.COUNTER,
    ("status", "code"),
    "requests answered with an error, by its code",
)
READY: Final = Family("gatehouse_inference_ready", Kind.GAUGE, (), "1 while requests are taken")
MODEL_INFO: Final = Family(
    "gatehouse_inference_model_info",
    Kind.GAUGE,
    ("model_name", "digest"),
    "1 for the weights that a model answers with",
)
GPU_USED: Final = Family(
    "gatehouse_inference_gpu_utilization_ratio",
    Kind.GAUGE,
    _GPU,
    "share of the last sampling period in which a kernel ran, 0 to 1; absent where NVML does not say (MIG)",
)
GPU_MEMORY: Final = Family(
    "gatehouse_inference_gpu_memory_used_bytes", Kind.GAUGE, _GPU, "memory in use, of all processes"
)
GPU_MEMORY_TOTAL: Final = Family(
    "gatehouse_inference_gpu_memory_total_bytes", Kind.GAUGE, _GPU, "memory that the GPU has"
)

SCREEN_QUESTIONS: Final = Family(
    "gatehouse_screen_questions_total",
    Kind.COUNTER,
    ("outcome",),
    "questions to the prompt screen: `injection` (or not examined whole), `benign`, `overloaded`, `failed`, "
    "`left` (the client did)",
)
SCREEN_INCOMPLETE: Final = Family(
    "gatehouse_screen_incomplete_total", Kind.COUNTER, (), "answers about texts that were not examined whole"
)
SCREEN_SECONDS: Final = Family(
    "gatehouse_screen_seconds", Kind.HISTOGRAM, (), "from a question to its answer", _SCREEN_BUCKETS
)
SCREEN_WINDOWS: Final = Family(
    "gatehouse_screen_windows_total",
    Kind.COUNTER,
    ("how",),
    "windows of texts: `scored` by the classifier, or `kept` from a while ago",
)
SCREEN_WAITING: Final = Family("gatehouse_screen_windows_waiting", Kind.GAUGE, (), "windows that wait for a batch")
SCREEN_BATCH: Final = Family(
    "gatehouse_screen_batch_windows", Kind.HISTOGRAM, (), "windows in a batch", _SCREEN_BATCH_BUCKETS
)
SCREEN_BATCH_SECONDS: Final = Family(
    "gatehouse_screen_batch_seconds", Kind.HISTOGRAM, (), "what a batch took", _SCREEN_BUCKETS
)

FAMILIES: Final = (
    *(RUNNING, WAITING, CACHE_USAGE, PROMPT_TOKENS, GENERATED, FINISHED, FIRST_TOKEN, PER_TOKEN, WHOLE, QUEUED),
    *(THROUGHPUT, EMBEDDED, REFUSED, READY, MODEL_INFO, GPU_USED, GPU_MEMORY, GPU_MEMORY_TOTAL),
)
# Where a screen is served.
SCREEN_FAMILIES: Final = (
    *(SCREEN_QUESTIONS, SCREEN_INCOMPLETE, SCREEN_SECONDS, SCREEN_WINDOWS, SCREEN_WAITING, SCREEN_BATCH),
    SCREEN_BATCH_SECONDS,
)
