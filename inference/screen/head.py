# SPDX-License-Identifier: Apache-2.0
"""The trained part: a small network that reads the encoder's token states and gives each window one number.

Several queries look for what they have learnt to look for, each over all tokens, so that one sentence in a long text
can decide; a mean over tokens, which is what sentence embeddings do, would drown it.
"""

from typing import Final

import torch
from torch import nn

from inference.screen.encoder import WIDTH

INNER: Final = 96
QUERIES: Final = 8
HIDDEN: Final = 48
NEIGHBOURS: Final = 3
DROPOUT: Final = 0.3


class Head(nn.Module):
    """From states (windows, tokens, 384) and a mask of true tokens to a logit for each window."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH, elementwise_affine=False)
        self.narrow = nn.Linear(WIDTH, INNER)
        self.near = nn.Conv1d(INNER, INNER, NEIGHBOURS, padding=NEIGHBOURS // 2, groups=4)
        self.look = nn.Linear(INNER, QUERIES)
        self.hidden = nn.Linear(QUERIES * INNER, HIDDEN)
        self.out = nn.Linear(HIDDEN, 1)
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        narrow = nn.functional.gelu(self.narrow(self.drop(self.norm(states)))) * mask[..., None]
        near = narrow + nn.functional.gelu(self.near(narrow.transpose(1, 2)).transpose(1, 2))
        looked = self.look(near).masked_fill(~mask[..., None], -1e4).softmax(dim=1)
        found = torch.einsum("btq,bti->bqi", looked, near).flatten(1)
        hidden = nn.functional.gelu(self.hidden(self.drop(found)))
        logits: torch.Tensor = self.out(self.drop(hidden)).squeeze(-1)
        return logits
