# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest

from inference.batching.limits import (
    CPU_CACHE_MIB,
    CPU_PAGE_TOKENS,
    CPU_RUNNING,
    GPU_RUNNING,
    MIB,
    batch_limits,
    cache_bytes_per_token,
)
from inference.settings import ModelRefused


def test_keys_and_values_of_every_layer_are_counted():
    config = SimpleNamespace(num_hidden_layers=3, num_attention_heads=8, num_key_value_heads=2, hidden_size=64)
    assert cache_bytes_per_token(config, 4) == 2 * 3 * 2 * 8 * 4
    assert cache_bytes_per_token(SimpleNamespace(**vars(config), head_dim=16), 2) == 2 * 3 * 2 * 16 * 2


def test_a_cpu_has_a_bounded_cache_without_being_told():
    limits = batch_limits(on_gpu=False, bytes_per_token=6144, context_tokens=2048)
    assert limits.pages * limits.page_tokens * 6144 <= CPU_CACHE_MIB * MIB
    assert limits.running == CPU_RUNNING


def test_a_gpu_takes_what_is_free_unless_told():
    assert batch_limits(on_gpu=True, bytes_per_token=6144, context_tokens=2048).pages is None
    told = batch_limits(on_gpu=True, bytes_per_token=6144, context_tokens=10**6, cache_mib=64)
    assert 0 < told.pages * told.page_tokens * 6144 <= 64 * MIB
    assert told.running == GPU_RUNNING


def test_no_more_is_taken_than_every_context_at_once_needs():
    limits = batch_limits(on_gpu=False, bytes_per_token=8, context_tokens=100, most_running=2)
    assert limits.pages == 2 * 4
    assert limits.running == 2


def test_a_step_has_room_for_a_token_of_every_job():
    limits = batch_limits(on_gpu=False, bytes_per_token=8, context_tokens=100, most_running=1000)
    assert limits.step_tokens == 1000


def test_a_cache_of_no_page_is_refused_by_name():
    with pytest.raises(ModelRefused, match="--kv-cache-mib"):
        batch_limits(on_gpu=False, bytes_per_token=MIB // CPU_PAGE_TOKENS + 1, context_tokens=100, cache_mib=1)
