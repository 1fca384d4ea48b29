# SPDX-License-Identifier: Apache-2.0
"""How the next token of each job in a batch is chosen: temperature, top_p and the seed are its own.

Theory
    Continuous batching draws from one stream of random numbers for all jobs, so that what a job gets depends on who
    else is there. Here nothing is drawn. A token with the logit l is chosen with its softmax probability when noise of
    the Gumbel distribution is added to every logit and the largest sum is taken. The noise is a function of the job's
    seed, the position and the token alone; hence the same seed and the same request choose the same tokens, whatever
    else is in the batch and wherever a job had to be begun again.

Facts
    transformers makes processors for temperature and top_p only when their defaults are not neutral, and a sampling
    batch cannot be greedy for one job. So the list is built here, and the batch always takes the largest.
    Logits differ in their last bits with the shape of the batch, as they do in greedy decoding. Where two sums are that
    close, another token may win; in bfloat16 more often than in float32.
"""

import hashlib
import struct
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor
from transformers.generation.continuous_batching.cb_logits_processors import (
    ContinuousBatchingLogitsProcessor,
    ContinuousBatchingLogitsProcessorList,
    ContinuousBatchingTemperatureLogitsWarper,
    ContinuousBatchingTopPLogitsWarper,
)
from transformers.generation.continuous_batching.requests import FutureRequestState
from transformers.generation.logits_process import LogitsProcessorList, TemperatureLogitsWarper, TopPLogitsWarper

from inference.job import Job

# Dividing logits by less than this overflows float32 in the end; the most likely token is then certain anyway.
GREEDY_BELOW: Final = 1e-5

_GREEDY: Final = 0  # the noise key of a job that takes the most likely token
_MASK: Final = 0xFFFFFFFF


def choosing(job: Job, *, seed: int) -> dict[str, Any]:
    """The job's parameters, as the processors below read them."""
    if job.temperature < GREEDY_BELOW:
        return {"temperature": 1.0, "top_p": 1.0}
    return {"temperature": job.temperature, "top_p": job.top_p, "seed": seed}


def processors() -> ContinuousBatchingLogitsProcessorList:
    """What a batch does to its logits before it takes the largest of each job."""
    made = ContinuousBatchingLogitsProcessorList(
        LogitsProcessorList(
            [
                ContinuousBatchingTemperatureLogitsWarper(TemperatureLogitsWarper(1.0)),
                TopP(TopPLogitsWarper(1.0)),
                SeededNoise(),
            ]
        )
    )
    # It counts only the processors that it converted itself.
    made.tensors_required = len(made.logits_processor)
    return made


class TopP(ContinuousBatchingTopPLogitsWarper):
    """transformers' own; but where no job of the batch wants a cut, the vocabulary is not sorted for it."""

    def __call__(self, scores: Tensor, tensor_arg: Tensor) -> Tensor:
        # On a GPU the question would wait for the device, and a recorded graph cannot ask it.
        if not scores.is_cuda and bool((tensor_arg[: scores.size(0)].view(torch.float32) >= 1.0).all()):
            return scores
        cut: Tensor = super().__call__(scores, tensor_arg)
        return cut


class SeededNoise(ContinuousBatchingLogitsProcessor):
    """Adds each job's Gumbel noise."""

    supported_kwargs: dict[str, type] = {"seed": int}  # noqa: RUF012  # as the class it extends has it
    ignored_kwargs: tuple[str, ...] = ()

    def fill_defaults(self, int32_tensor: Tensor) -> None:
        int32_tensor.fill_(_GREEDY)

    def prepare_tensor_args(self, requests_with_new_token: Sequence[FutureRequestState]) -> Tensor:
        # The offset, not the count of tokens: it is right while a batch is still under way, and for a job begun again.
        keys = [
            noise_key(future.state.logit_processor_kwargs.get("seed"), future.state.position_offset)
            for future in requests_with_new_token
        ]
        return torch.tensor(keys, dtype=torch.int32)

    def __call__(self, scores: Tensor, tensor_arg: Tensor) -> Tensor:
        keys = tensor_arg[: scores.size(0)].unsqueeze(-1)
        if not scores.is_cuda and not bool(keys.any()):
            return scores
        noise = gumbel(keys, scores.size(-1))
        return torch.where(keys == _GREEDY, scores, scores + noise)


def noise_key(seed: int | None, position: int) -> int:
    """31 bits of the seed and the position, never the greedy job's."""
    if seed is None:
        return _GREEDY
    drawn = hashlib.blake2b(struct.pack("<QQ", seed & (2**64 - 1), position), digest_size=4).digest()
    return (int.from_bytes(drawn, "little") >> 1) or 1


def gumbel(keys: Tensor, vocabulary: int) -> Tensor:
    """Gumbel noise for each key and token, in integer arithmetic that every device does alike."""
    tokens = torch.arange(vocabulary, dtype=torch.int64, device=keys.device)
    mixed = _mixed(_mixed(tokens * 0x9E3779B9 & _MASK) ^ keys.to(torch.int64))
    # Never 0, so that the noise is never infinite upwards. Small values, which decide who wins, keep all their digits.
    uniform = (mixed.to(torch.float32) + 0.5) * 2.0**-32
    return -torch.log(-torch.log1p(-uniform))


def _mixed(x: Tensor) -> Tensor:
    """The finaliser of MurmurHash3: each bit of 32 bits changes half of the others."""
    x = (x ^ (x >> 16)) * 0x85EBCA6B & _MASK
    x = (x ^ (x >> 13)) * 0xC2B2AE35 & _MASK
    return x ^ (x >> 16)
