# SPDX-License-Identifier: Apache-2.0
"""Encoder and heads together: a logit for each text. Needs torch; `scorer` imports it where that is installed."""

import threading
from collections.abc import Sequence
from pathlib import Path

import torch

from inference.screen.encoder import Encoder
from inference.screen.head import Head
from inference.screen.tensors import Tensor, Tensors, WeightsRefused

LOWEST = -1e4


class Reader:
    """Scores windows in batches; a text's logit is that of its window which scores highest, by the heads' mean."""

    def __init__(self, tensors: Tensors, *, device: str = "cpu", encoder_folder: Path | None = None) -> None:
        self._heads = [head.to(device) for head in heads_of(tensors)]
        self._encoder = Encoder(device=device, folder=encoder_folder)
        # A forward pass keeps what it computes in the model's own buffers on some devices.
        self._one_at_a_time = threading.Lock()

    def logits(self, texts: Sequence[str]) -> list[float]:
        found = [LOWEST] * len(texts)
        pieces = self._encoder.pieces(texts)
        with self._one_at_a_time, torch.inference_mode():
            for batch in self._encoder.batches(pieces):
                logits = torch.stack([head(batch.states, batch.mask) for head in self._heads]).mean(dim=0)
                for text, logit in zip(batch.texts, logits.tolist(), strict=True):
                    found[text] = max(found[text], logit)
        return found


def heads_of(tensors: Tensors) -> list[Head]:
    """The heads that the file holds: `head.0.…`, `head.1.…` and so on."""
    found: list[Head] = []
    while own := {
        name.removeprefix(f"head.{len(found)}."): _halves(tensor)
        for name, tensor in tensors.tensors.items()
        if name.startswith(f"head.{len(found)}.")
    }:
        head = Head()
        try:
            head.load_state_dict(own)
        except RuntimeError as exc:
            raise WeightsRefused("the head's weights are of another shape than this version's") from exc
        found.append(head.eval().requires_grad_(requires_grad=False))
    if not found:
        raise WeightsRefused("the weights hold no head")
    return found


def _halves(tensor: Tensor) -> torch.Tensor:
    if tensor.numbers.typecode != "H":
        raise WeightsRefused("the head's weights are not in half precision")
    return torch.frombuffer(bytearray(tensor.numbers.tobytes()), dtype=torch.float16).float().reshape(tensor.shape)
