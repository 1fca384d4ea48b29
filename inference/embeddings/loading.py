# SPDX-License-Identifier: Apache-2.0
"""An encoder of a local directory, with how its tokens' states become one vector."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError

from inference.model_files import ModelFiles, model_files, read_object
from inference.prompt import PromptEncoder
from inference.settings import ModelRefused

# Beyond this many parameters, an encoder on a GPU is held as its files have it, not in float32.
LARGE: Final = 1_000_000_000
_POOLING: Final = "1_Pooling"


class Pooling(StrEnum):
    MEAN = "pooling_mode_mean_tokens"
    FIRST = "pooling_mode_cls_token"
    LAST = "pooling_mode_lasttoken"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedEncoder:
    """An encoder in evaluation mode. Its vectors have length one."""

    model: Any
    prompts: PromptEncoder
    pooling: Pooling
    context_tokens: int
    dimensions: int
    digest: str

    def encode(self, texts: Sequence[Sequence[int]]) -> list[list[float]]:
        """The vector of each text of tokens, all in one batch. For one thread at a time."""
        longest = max(len(text) for text in texts)
        ids = torch.zeros((len(texts), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = torch.tensor(text)
            mask[row, : len(text)] = 1
        device = self.model.device
        ids, mask = ids.to(device), mask.to(device)
        with torch.inference_mode():
            states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            vectors = torch.nn.functional.normalize(self._pool(states, mask), dim=1)
        rows: list[list[float]] = vectors.cpu().tolist()
        return rows

    def _pool(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if self.pooling is Pooling.FIRST:
            return states[:, 0]
        if self.pooling is Pooling.LAST:
            return states[torch.arange(len(states), device=states.device), mask.sum(dim=1) - 1]
        weights = mask.unsqueeze(-1).to(states.dtype)
        return (states * weights).sum(dim=1) / weights.sum(dim=1)


def load_encoder(folder: Path, *, max_context: int | None = None) -> LoadedEncoder:
    """Loads the encoder onto the GPU if there is one, else onto the CPU."""
    files = model_files(folder)
    pooling, stated = _described(files)
    models = importlib.import_module("transformers.models.auto.modeling_auto")
    tokenizers = importlib.import_module("transformers.models.auto.tokenization_auto")
    logging: Any = importlib.import_module("transformers.utils.logging")
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        model, loading = models.AutoModel.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **local
        )
        tokenizer = tokenizers.AutoTokenizer.from_pretrained(folder, **local)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as exc:
        raise ModelRefused(f"transformers cannot load {folder}: {exc}") from exc
    # A pooler is a layer behind the states, which are all that is used here.
    missing = {name for name in loading["missing_keys"] if not name.startswith("pooler.")}
    if missing or loading["mismatched_keys"]:
        raise ModelRefused(f"{folder}: the weights lack tensors that config.json asks for")
    text_config = model.config.get_text_config()
    limits = [getattr(text_config, "max_position_embeddings", None), stated, max_context]
    known = [limit for limit in limits if limit is not None]
    if not known:
        raise ModelRefused(f"{folder}: config.json states no max_position_embeddings: give --max-context")
    on_gpu = torch.cuda.is_available()
    large = sum(parameter.numel() for parameter in model.parameters()) > LARGE
    return LoadedEncoder(
        model=model.to("cuda" if on_gpu else "cpu", torch.bfloat16 if on_gpu and large else torch.float32).eval(),
        prompts=PromptEncoder(tokenizer),
        pooling=pooling,
        context_tokens=int(min(known)),
        dimensions=int(text_config.hidden_size),
        digest=files.digest(),
    )


def _described(files: ModelFiles) -> tuple[Pooling, int | None]:
    """What sentence-transformers' files say: the pooling, and the most tokens of a text. Without them: the mean."""
    modules = files.folder / "modules.json"
    if not modules.is_file():
        return Pooling.MEAN, None
    pooling = Pooling.MEAN
    if (files.folder / _POOLING / "config.json").is_file():
        said = read_object(files.folder / _POOLING, "config.json")
        pooling = _pooling(files.folder, said)
    if any(name.startswith("2_Dense") for name in _folders(files.folder)):
        raise ModelRefused(f"{files.folder}: a dense layer behind the pooling (2_Dense) is not supported")
    longest = None
    if (files.folder / "sentence_bert_config.json").is_file():
        longest = read_object(files.folder, "sentence_bert_config.json").get("max_seq_length")
    return pooling, longest if isinstance(longest, int) else None


def _pooling(folder: Path, said: Mapping[str, Any]) -> Pooling:
    chosen = [name for name, value in said.items() if name.startswith("pooling_mode_") and value is True]
    if len(chosen) != 1 or chosen[0] not in set(Pooling):
        raise ModelRefused(f"{folder}: {_POOLING}/config.json asks for a pooling that is not supported")
    return Pooling(chosen[0])


def _folders(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_dir()]
