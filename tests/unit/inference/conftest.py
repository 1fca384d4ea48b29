# SPDX-License-Identifier: Apache-2.0
"""The parrot and a random tiny Llama, each made once for all tests of the server.

regopy's library brings its own allocator, and importing torch after it aborts the process. The whole suite loads regopy
first of all, so there only `own_process` is collected, which runs the other tests of this folder in a process of theirs.
"""

import sys
from pathlib import Path

import pytest

collect_ignore_glob = (
    ["test_*.py", "api", "batching", "cluster", "embeddings", "parrot", "screen"]
    if "regopy" in sys.modules
    else ["own_process"]
)

TINY_TEMPLATE = (
    "{{ '<|bos|>' }}{% for m in messages %}{{ '<|user|>' + m.role + ': ' + (m.content | trim) + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


@pytest.fixture(scope="session")
def parrot_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from inference.parrot.directory import build_parrot

    folder = tmp_path_factory.mktemp("parrot")
    build_parrot(folder)
    return folder


@pytest.fixture(scope="session")
def parrot(parrot_dir: Path) -> object:
    from inference.loading import load_model

    return load_model(parrot_dir)


@pytest.fixture(scope="session")
def tiny_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of random weights over bytes: what it says is noise, invalid UTF-8 included."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from inference.parrot.alphabet import byte_tokenizer

    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(20261120)
    config = LlamaConfig(
        vocab_size=260,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        initializer_range=0.5,
        bos_token_id=256,
        eos_token_id=258,
        pad_token_id=258,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=byte_tokenizer(), bos_token="<|bos|>", eos_token="<|end|>", pad_token="<|end|>"
    )
    tokenizer.chat_template = TINY_TEMPLATE
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_dir: Path) -> object:
    from inference.loading import load_model

    return load_model(tiny_dir)


@pytest.fixture(scope="session")
def tiny_reference(tiny_dir: Path) -> object:
    """The same once more, for transformers' own `generate()`: an open batch changes the attention of its model."""
    from inference.loading import load_model

    return load_model(tiny_dir)
