# SPDX-License-Identifier: Apache-2.0
"""Token states of all rows, encoded once: the encoder is frozen, so every fold and every seed reads the same ones."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from inference.screen.encoder import LAYERS, Encoder

# A long text's windows beyond this many teach little and cost as much as a dozen rows. Scoring leaves out none.
MOST_WINDOWS = 6


@dataclass(frozen=True, slots=True)
class States:
    """Of each window its states in half precision (tokens, 384); of each text its windows' numbers."""

    windows: list[torch.Tensor]
    of_text: list[list[int]]


def encode(texts: Sequence[str], encoder: Encoder, *, cache: Path | None = None) -> States:
    """The texts' states. With a cache, those that it holds are read, and new ones written into it."""
    kept: dict[str, list[torch.Tensor]] = {}
    file = None if cache is None else cache / f"states-{LAYERS}.pt"
    if file is not None and file.exists():
        kept = torch.load(file, weights_only=True)
    names = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    fresh = sorted({name: text for name, text in zip(names, texts, strict=True) if name not in kept}.items())
    if fresh:
        _encode_into(kept, fresh, encoder)
        if file is not None:
            torch.save(kept, file)
    windows: list[torch.Tensor] = []
    of_text = []
    for name in names:
        own = kept[name]
        of_text.append(list(range(len(windows), len(windows) + len(own))))
        windows += own
    return States(windows, of_text)


def _encode_into(kept: dict[str, list[torch.Tensor]], fresh: Sequence[tuple[str, str]], encoder: Encoder) -> None:
    pieces = []
    count: dict[int, int] = {}
    for piece in encoder.pieces([text for _, text in fresh]):
        count[piece.text] = count.get(piece.text, 0) + 1
        if count[piece.text] <= MOST_WINDOWS:
            pieces.append(piece)
    for batch in encoder.batches(pieces):
        for states, mask, text in zip(batch.states, batch.mask, batch.texts, strict=True):
            kept.setdefault(fresh[text][0], []).append(states[mask].half().clone().cpu())
