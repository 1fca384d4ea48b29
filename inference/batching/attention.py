# SPDX-License-Identifier: Apache-2.0
"""Attention over a batch of different lengths on the CPU: each job attends to its own keys and to no others.

Facts
    transformers lays the jobs of a batch end to end. With sdpa it then lets every token attend to the keys of *all*
    jobs and masks those of the others, so that the work grows with the square of the batch: 32 jobs in one batch were
    slower than one after the other. Kernels for such batches (flash attention) exist for GPUs only.

Theory
    The lengths of the jobs come along (`cu_seq_lens`). One call of sdpa for each job does no work that a mask undoes,
    and its result does not depend on what else is in the batch.
"""

from itertools import pairwise
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers.modeling_utils import AttentionInterface

NAME: Final = "gatehouse_one_by_one"

# Models whose attention is this and no more: no windows, no soft cap, no sinks. Others keep transformers' sdpa.
_PLAIN_MODELS: Final = frozenset({"llama", "mistral", "qwen2", "qwen3"})


def is_plain(config: Any) -> bool:
    """Whether every layer of the model attends to everything before, and in no other way."""
    layers = getattr(config, "layer_types", None) or ["full_attention"]
    return (
        config.model_type in _PLAIN_MODELS
        and set(layers) == {"full_attention"}
        and (getattr(config, "sliding_window", None) is None or not getattr(config, "use_sliding_window", True))
    )


def register() -> str:
    """Makes the attention known to transformers; its name."""
    AttentionInterface.register(NAME, one_by_one)
    return NAME


def one_by_one(
    module: torch.nn.Module,
    query: Tensor,  # 1, query heads, all jobs' new tokens, size of a head
    key: Tensor,  # 1, key heads, all jobs' new tokens, size of a head
    value: Tensor,
    attention_mask: Tensor | None,  # noqa: ARG001  # transformers makes none for an attention it does not know
    *,
    cache: Any,
    cu_seq_lens_q: Tensor,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    # The cache takes the new keys in and gives back those of all jobs, each job's in its order.
    keys, values = cache.update(key_states=key, value_states=value, layer_idx=module.layer_idx, kwargs=kwargs)
    heads, key_heads = query.shape[1], keys.shape[1]
    answered = torch.empty_like(query)
    spans = zip(pairwise(cu_seq_lens_q.tolist()), pairwise(kwargs["cu_seq_lens_k"].tolist()), strict=True)
    for (first, last), (key_first, key_last) in spans:
        asked, k, v = query[:, :, first:last], keys[:, :, key_first:key_last], values[:, :, key_first:key_last]
        new, known = last - first, key_last - key_first
        if new == 1:
            # Queries that share their keys become the rows of one product; the last token sees everything.
            grouped = asked.reshape(1, key_heads, heads // key_heads, -1)
            seen = scaled_dot_product_attention(grouped, k, v, scale=scaling).reshape(1, heads, 1, -1)
        elif new == known:
            seen = scaled_dot_product_attention(asked, k, v, is_causal=True, scale=scaling, enable_gqa=True)
        else:
            # The rest of a prompt that came in parts: what is causal begins behind the earlier part.
            mask = torch.ones(new, known, dtype=torch.bool).tril(known - new)
            seen = scaled_dot_product_attention(asked, k, v, attn_mask=mask, scale=scaling, enable_gqa=True)
        answered[:, :, first:last] = seen
    return answered.transpose(1, 2).contiguous(), None
