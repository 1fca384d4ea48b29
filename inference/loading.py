# SPDX-License-Identifier: Apache-2.0
"""A local Hugging Face directory, loaded: safetensors only, no code from the directory, nothing fetched.

Imports are narrow and late: `from transformers import …` for the auto classes reads half the library, and the time to
the first answer after a restart is what an operator waits for.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError

from inference.model_files import model_files
from inference.prompt import PromptEncoder
from inference.settings import ModelRefused

# Below this many parameters, handing a step to several threads costs more than it saves.
ONE_THREAD_BELOW: Final = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model in evaluation mode and what has to be known about it."""

    model: Any
    tokenizer: Any
    prompts: PromptEncoder
    end_tokens: frozenset[int]
    context_tokens: int
    digest: str
    parameter_count: int

    def decode(self, tokens: Sequence[int]) -> str:
        """The tokens' text, without markers."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True))


def load_model(folder: Path, *, max_context: int | None = None) -> LoadedModel:
    """Loads what the directory holds onto the GPU if there is one (bfloat16), else onto the CPU (float32)."""
    files = model_files(folder)
    if files.makes_embeddings:
        raise ModelRefused(f"{folder} holds an encoder, which makes embeddings and no text")
    on_gpu = torch.cuda.is_available()
    model_class, tokenizer_class = _classes(files.config)
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        model, loading = model_class.from_pretrained(
            folder,
            use_safetensors=True,
            dtype=torch.bfloat16 if on_gpu else torch.float32,
            output_loading_info=True,
            **local,
        )
        tokenizer = tokenizer_class.from_pretrained(folder, **local)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as exc:
        raise ModelRefused(f"transformers cannot load {folder}: {exc}") from exc
    if loading["missing_keys"] or loading["mismatched_keys"]:
        # transformers would fill what is missing with random numbers, and only warn.
        raise ModelRefused(f"{folder}: the weights lack tensors that config.json asks for")
    if not getattr(tokenizer, "is_fast", False):
        raise ModelRefused(f"{folder} has no tokenizer.json: save its tokenizer in the fast format")
    if any(token.special and len(token.content) == 1 for token in tokenizer.added_tokens_decoder.values()):
        # inference.prompt breaks a marker behind its first character; of one character nothing would be broken.
        raise ModelRefused(f"{folder}: a special token of a single character cannot be told from a message's text")
    model = model.to("cuda" if on_gpu else "cpu").eval()
    parameter_count = sum(parameter.numel() for parameter in model.parameters())
    if parameter_count < ONE_THREAD_BELOW:
        torch.set_num_threads(1)
    return LoadedModel(
        model=model,
        tokenizer=tokenizer.backend_tokenizer,
        prompts=PromptEncoder(tokenizer),
        end_tokens=_end_tokens(model, tokenizer),
        context_tokens=_context_tokens(model, max_context),
        digest=files.digest(),
        parameter_count=parameter_count,
    )


def _classes(config: Mapping[str, Any]) -> tuple[Any, Any]:
    # Any: transformers is typed in part only.
    logging: Any = importlib.import_module("transformers.utils.logging")
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    if config.get("architectures") == ["LlamaForCausalLM"] and config.get("model_type") == "llama":
        module, name = "transformers.models.llama.modeling_llama", "LlamaForCausalLM"
    else:
        module, name = "transformers.models.auto.modeling_auto", "AutoModelForCausalLM"
    tokenizers = importlib.import_module("transformers.models.auto.tokenization_auto")
    return getattr(importlib.import_module(module), name), tokenizers.AutoTokenizer


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    ends = model.generation_config.eos_token_id
    if ends is None:
        ends = tokenizer.eos_token_id
    if ends is None:
        return frozenset()
    return frozenset([ends] if isinstance(ends, int) else ends)


def _context_tokens(model: Any, max_context: int | None) -> int:
    stated = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    known = [limit for limit in (stated, max_context) if limit is not None]
    if not known:
        raise ModelRefused("config.json states no max_position_embeddings: give --max-context")
    return int(min(known))
