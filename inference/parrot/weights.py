# SPDX-License-Identifier: Apache-2.0
"""The parrot's weights, computed. The theory stands in the package's docstring; here it becomes numbers."""

import math
from typing import Final

import torch
from torch import Tensor

from inference.parrot.codes import code_words
from inference.parrot.geometry import (
    ANSWER,
    ASSISTANT,
    BALLAST,
    BEGIN,
    CODE,
    CODE_SIZE,
    FEED_FORWARD,
    FREQUENCIES,
    FROM_ASSISTANT,
    FROM_USER,
    HALF,
    HEAD,
    HIDDEN,
    IS_ASSISTANT,
    IS_BEGIN,
    IS_USER,
    KEY_HEADS,
    LAYERS,
    ONE,
    PHASES,
    QUERIES_PER_KEY,
    QUERY_HEADS,
    SLOWEST_PAIR,
    USER,
    VOCABULARY,
    feature,
)

# tanh(z·c) stands for tanh(z)·c. At 0.5 it is at most 3 % off, and equally so on both sides of the comparison.
Z: Final = 0.5
# exp(-40): what all other tokens together take from marker and begin token.
MARKER_BIAS: Final = 40.0
# Layer 0 adds at most 24 coordinates of this size to a vector of length 2, so RMSNorm sees the length change by 0.1 %.
FEATURE_GAIN: Final = 0.01
# Logits of layer 1 are this times the sum of six cosines. One position off costs 0.5 of the sum, hence 31 of the logit.
SHARPNESS: Final = 60.0
# More than the greatest sum of layer 1 by far: the begin token is never looked at.
BEGIN_PENALTY: Final = 4000.0
# The right token's logit is about 6 times this, a rival's at most 3/8 of it.
HEAD_GAIN: Final = 16.0
EMBEDDING_LENGTH: Final = 2.0

# Attention divides its logits by the square root of the head's size; queries are made larger by as much.
_UNSCALE: Final = math.sqrt(HEAD)
# RMSNorm multiplies a vector of length 2 by this.
_NORM: Final = math.sqrt(HIDDEN) / EMBEDDING_LENGTH


def parrot_weights() -> dict[str, Tensor]:
    """Every tensor of the model by its Llama name, in float32."""
    codes = torch.tensor(code_words())
    weights = _blank()
    _embed(weights["model.embed_tokens.weight"], codes)
    _measure_distances(weights, "model.layers.0.self_attn.")
    _copy_matching_token(weights, "model.layers.1.self_attn.")
    weights["lm_head.weight"][:, ANSWER : ANSWER + CODE_SIZE] = codes * HEAD_GAIN
    return weights


def _blank() -> dict[str, Tensor]:
    """All zero, but for the norms, which are neutral."""
    queries, keys = QUERY_HEADS * HEAD, KEY_HEADS * HEAD
    weights = {
        "model.embed_tokens.weight": torch.zeros(VOCABULARY, HIDDEN),
        "model.norm.weight": torch.ones(HIDDEN),
        "lm_head.weight": torch.zeros(VOCABULARY, HIDDEN),
    }
    for layer in range(LAYERS):
        at = f"model.layers.{layer}."
        weights[at + "input_layernorm.weight"] = torch.ones(HIDDEN)
        weights[at + "post_attention_layernorm.weight"] = torch.ones(HIDDEN)
        weights[at + "self_attn.q_proj.weight"] = torch.zeros(queries, HIDDEN)
        weights[at + "self_attn.k_proj.weight"] = torch.zeros(keys, HIDDEN)
        weights[at + "self_attn.v_proj.weight"] = torch.zeros(keys, HIDDEN)
        weights[at + "self_attn.o_proj.weight"] = torch.zeros(HIDDEN, queries)
        weights[at + "mlp.gate_proj.weight"] = torch.zeros(FEED_FORWARD, HIDDEN)
        weights[at + "mlp.up_proj.weight"] = torch.zeros(FEED_FORWARD, HIDDEN)
        weights[at + "mlp.down_proj.weight"] = torch.zeros(HIDDEN, FEED_FORWARD)
    return weights


def _embed(embedding: Tensor, codes: Tensor) -> None:
    embedding[:, CODE] = codes
    embedding[:, ONE] = 1
    for token, flag in ((BEGIN, IS_BEGIN), (USER, IS_USER), (ASSISTANT, IS_ASSISTANT)):
        embedding[token, flag] = 1
    lengths = embedding.square().sum(dim=1)
    embedding[:, BALLAST] = (EMBEDDING_LENGTH**2 - lengths).sqrt()


def _measure_distances(weights: dict[str, Tensor], at: str) -> None:
    """Layer 0: one key head for each marker and frequency, and on it one query head for each phase."""
    query, key = weights[at + "q_proj.weight"], weights[at + "k_proj.weight"]
    value, output = weights[at + "v_proj.weight"], weights[at + "o_proj.weight"]
    for origin, flag in ((FROM_USER, IS_USER), (FROM_ASSISTANT, IS_ASSISTANT)):
        for frequency in range(len(FREQUENCIES)):
            key_head = origin * len(FREQUENCIES) + frequency
            k = key_head * HEAD
            key[k + frequency, flag] = 1 / _NORM
            key[k + SLOWEST_PAIR, flag] = 1 / _NORM
            key[k + SLOWEST_PAIR, IS_BEGIN] = 1 / _NORM
            value[k, flag] = 1 / _NORM
            value[k, IS_BEGIN] = -1 / _NORM
            for phase, angle in enumerate(PHASES):
                q = (key_head * QUERIES_PER_KEY + phase) * HEAD
                amplitude = 2 * Z * _UNSCALE / _NORM
                query[q + frequency, ONE] = amplitude * math.cos(angle)
                query[q + frequency + HALF, ONE] = amplitude * math.sin(angle)
                query[q + SLOWEST_PAIR, ONE] = MARKER_BIAS * _UNSCALE / _NORM
                output[feature(origin, frequency, phase), q] = FEATURE_GAIN / math.tanh(Z)


def _copy_matching_token(weights: dict[str, Tensor], at: str) -> None:
    """Layer 1: the same comparison in two heads, each of which carries half of the code word."""
    query, key = weights[at + "q_proj.weight"], weights[at + "k_proj.weight"]
    value, output = weights[at + "v_proj.weight"], weights[at + "o_proj.weight"]
    amplitude = math.sqrt(SHARPNESS * _UNSCALE) / FEATURE_GAIN / _NORM
    penalty = math.sqrt(BEGIN_PENALTY * _UNSCALE) / _NORM
    for half in range(CODE_SIZE // HEAD):
        k, q = half * HEAD, half * QUERIES_PER_KEY * HEAD
        for frequency, angle in enumerate(FREQUENCIES):
            pair = SLOWEST_PAIR - frequency
            cosine, sine = (feature(FROM_ASSISTANT, frequency, phase) for phase in (0, 1))
            query[q + pair, cosine] = amplitude * math.cos(angle)
            query[q + pair, sine] = -amplitude * math.sin(angle)
            query[q + pair + HALF, cosine] = amplitude * math.sin(angle)
            query[q + pair + HALF, sine] = amplitude * math.cos(angle)
            key[k + pair, feature(FROM_USER, frequency, 0)] = amplitude
            key[k + pair + HALF, feature(FROM_USER, frequency, 1)] = amplitude
        free_pair = SLOWEST_PAIR - len(FREQUENCIES)
        query[q + free_pair, ONE] = penalty
        key[k + free_pair, IS_BEGIN] = -penalty
        for i in range(HEAD):
            value[k + i, half * HEAD + i] = 1 / _NORM
            output[ANSWER + half * HEAD + i, q + i] = 1
