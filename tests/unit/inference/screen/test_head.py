# SPDX-License-Identifier: Apache-2.0
import torch

from inference.screen.encoder import WIDTH
from inference.screen.head import Head


def test_padding_counts_for_nothing():
    torch.manual_seed(1)
    head = Head().eval()
    states = torch.randn(1, 5, WIDTH)
    padded = torch.cat([states, torch.randn(1, 3, WIDTH)], dim=1)
    alone = head(states, torch.ones(1, 5, dtype=torch.bool))
    beside = head(padded, torch.tensor([[True] * 5 + [False] * 3]))
    assert torch.allclose(alone, beside, atol=1e-5)


def test_is_small():
    assert sum(weights.numel() for weights in Head().parameters()) <= 150_000
