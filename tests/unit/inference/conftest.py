# SPDX-License-Identifier: Apache-2.0
"""The parrot and a random tiny Llama, each made once for all tests of the server.

regopy's library brings its own allocator, and importing torch after it aborts the process. The whole suite loads regopy
first of all, so there only `own_process` is collected, which runs the other tests of this folder in processes of theirs.
"""

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

WITHOUT_REGOPY = "regopy" not in sys.modules

collect_ignore = [
    each.name
    for each in Path(__file__).parent.iterdir()
    if (each.is_dir() or each.name.startswith("test_")) and (each.name == "own_process") == WITHOUT_REGOPY
]

TINY_TEMPLATE = (
    "{{ '<|bos|>' }}{% for m in messages %}{{ '<|user|>' + m.role + ': ' + (m.content | trim) + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


@pytest.fixture(scope="session", autouse=True)
def _libraries_set_aside() -> Iterator[None]:
    """Each batch that closes collects garbage: without this it looks for it in all of torch, half a second each time."""
    if WITHOUT_REGOPY:
        gc.collect()
        gc.freeze()
    yield
    # What is still frozen when the process ends is told as a leak by triton.
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _logs_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command that a test calls sets the logs up for its process; the next test's would go to a closed stream."""
    configure = structlog.configure
    monkeypatch.setattr(structlog, "configure", lambda **how: configure(**how | {"cache_logger_on_first_use": False}))
    yield
    structlog.reset_defaults()


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
