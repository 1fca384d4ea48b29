# SPDX-License-Identifier: Apache-2.0
"""The attention for batches on a CPU gives each job what transformers' `generate()` gives it alone."""

import importlib
from types import SimpleNamespace

import pytest
import torch

from inference.batching.attention import NAME, is_plain
from inference.batching.limits import batch_limits
from inference.batching.paged import PagedBatch
from inference.job import Job

SIZES = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.5,
    "eos_token_id": 96,
    "pad_token_id": 96,
}


def random_model(kind, **more):
    torch.manual_seed(1)
    config = importlib.import_module(f"transformers.models.{kind}.configuration_{kind}")
    modeling = importlib.import_module(f"transformers.models.{kind}.modeling_{kind}")
    name = kind.capitalize()
    return getattr(modeling, f"{name}ForCausalLM")(getattr(config, f"{name}Config")(**SIZES, **more)).eval()


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        pytest.param("llama", {}, id="llama"),
        pytest.param("llama", {"num_key_value_heads": 4}, id="llama-without-shared-keys"),
        pytest.param("mistral", {"sliding_window": None}, id="mistral"),
        pytest.param("qwen2", {}, id="qwen2"),
        pytest.param("qwen3", {"head_dim": 16}, id="qwen3"),
        pytest.param("mistral", {"sliding_window": 16}, id="with-a-window-by-transformers-own"),
    ],
)
@pytest.mark.parametrize("step_tokens", [16, 512])
def test_a_mixed_batch_gives_the_tokens_of_generate(kind, more, step_tokens, monkeypatch):
    monkeypatch.setitem(SIZES, "num_key_value_heads", more.get("num_key_value_heads", 2))
    model = random_model(kind, **{name: value for name, value in more.items() if name not in SIZES})
    prompts = [tuple((7 * i + k) % 95 for k in range(length)) for i, length in enumerate([1, 3, 16, 33, 60, 100])]
    want = {}
    for number, prompt in enumerate(prompts):
        ids = torch.tensor([prompt])
        with torch.inference_mode():
            made = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=20)
        want[str(number)] = made[0, len(prompt) :].tolist()
    limits = batch_limits(on_gpu=False, bytes_per_token=512, context_tokens=256, most_running=8)
    limits = type(limits)(page_tokens=16, pages=64, step_tokens=step_tokens, running=8)
    batch = PagedBatch(model, limits=limits, end_tokens=frozenset({96}))
    assert (model.config._attn_implementation == NAME) == (kind != "mistral" or more["sliding_window"] is None)
    batch.start()
    try:
        for number, prompt in enumerate(prompts):
            batch.add(str(number), Job(prompt=prompt, max_tokens=20, temperature=0.0), seed=0)
        got = {}
        while len(got) < len(prompts):
            got |= {each.key: list(each.tokens) for each in batch.arrived(timeout_s=5) if each.ended}
    finally:
        assert batch.close()
    assert got == want
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize(
    ("config", "want"),
    [
        pytest.param({"model_type": "llama"}, True, id="llama"),
        pytest.param({"model_type": "qwen2", "sliding_window": 9, "use_sliding_window": False}, True, id="window-off"),
        pytest.param({"model_type": "mistral", "sliding_window": 9}, False, id="window"),
        pytest.param({"model_type": "gemma2"}, False, id="soft-cap"),
        pytest.param(
            {"model_type": "qwen3", "layer_types": ["full_attention", "sliding_attention"]}, False, id="some-layers"
        ),
    ],
)
def test_only_plain_attention_is_replaced(config, want):
    assert is_plain(SimpleNamespace(**config)) is want
