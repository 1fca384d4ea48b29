# SPDX-License-Identifier: Apache-2.0
"""Fits the head: several windows of a text stand for one label, and the one that scores highest answers for it."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import torch
from torch.nn import functional

from inference.screen.head import Head
from inference.screen.training.corpus import Row
from inference.screen.training.states import States

EPOCHS: Final = 5
RATE: Final = 1e-3
DECAY: Final = 0.05
WARM_UP_STEPS: Final = 30
BATCH_TOKENS: Final = 8192
CHUNK: Final = 768  # texts that are sorted by length together: less padding, and still in random order
SMOOTHING: Final = 0.03
# How much a source's size counts: 0 would make every source weigh the same, 1 every row.
SIZE_COUNTS: Final = 0.5
LOWEST: Final = -1e4


def weights_of(rows: Sequence[Row]) -> list[float]:
    """A weight for each row: half of all for either label, and within a label no list drowns the others."""
    sizes = Counter((row.injection, row.kind, row.source if not row.made else row.made) for row in rows)
    found = [
        row.weight * sizes[row.injection, row.kind, row.source if not row.made else row.made] ** (SIZE_COUNTS - 1)
        for row in rows
    ]
    totals = {
        label: sum(weight for row, weight in zip(rows, found, strict=True) if row.injection is label)
        for label in (True, False)
    }
    return [weight / totals[row.injection] * len(rows) / 2 for row, weight in zip(rows, found, strict=True)]


def fit_head(rows: Sequence[Row], numbers: Sequence[int], states: States, *, seed: int, epochs: int = EPOCHS) -> Head:
    """A head trained on those rows of all whose numbers are given."""
    torch.manual_seed(seed)
    chance = random.Random(seed)  # noqa: S311 - reproducible, and nothing secret
    head = Head()
    weights = dict(zip(numbers, weights_of([rows[number] for number in numbers]), strict=True))
    optimizer = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=DECAY)
    rounds = [list(_batches(numbers, states, chance)) for _ in range(epochs)]
    steps = sum(map(len, rounds))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / WARM_UP_STEPS) * max(0.02, 1 - step / max(1, steps))
    )
    head.train()
    for batch in (batch for batches in rounds for batch in batches):
        logits = _text_logits(head, batch, states)
        wanted = torch.tensor([float(rows[number].injection) for number in batch])
        losses = functional.binary_cross_entropy_with_logits(
            logits, wanted * (1 - 2 * SMOOTHING) + SMOOTHING, reduction="none"
        )
        loss = (losses * torch.tensor([weights[number] for number in batch])).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return head.eval()


def head_logits(head: Head, numbers: Sequence[int], states: States) -> dict[int, float]:
    """The head's logit for each of these rows."""
    found: dict[int, float] = {}
    ordered = sorted(numbers, key=lambda number: _length(number, states))
    with torch.inference_mode():
        for batch in _filled(ordered, states):
            found.update(zip(batch, _text_logits(head, batch, states).tolist(), strict=True))
    return found


def _text_logits(head: Head, batch: Sequence[int], states: States) -> torch.Tensor:
    windows = [window for number in batch for window in states.of_text[number]]
    owners = torch.tensor([at for at, number in enumerate(batch) for _ in states.of_text[number]])
    padded = torch.nn.utils.rnn.pad_sequence([states.windows[window].float() for window in windows], batch_first=True)
    lengths = torch.tensor([len(states.windows[window]) for window in windows])
    mask = torch.arange(padded.shape[1])[None] < lengths[:, None]
    return torch.full((len(batch),), LOWEST).scatter_reduce(0, owners, head(padded, mask), "amax")


def _length(number: int, states: States) -> int:
    return max(len(states.windows[window]) for window in states.of_text[number])


def _batches(numbers: Sequence[int], states: States, chance: random.Random) -> Iterator[list[int]]:
    order = list(numbers)
    chance.shuffle(order)
    found: list[list[int]] = []
    for start in range(0, len(order), CHUNK):
        found += _filled(sorted(order[start : start + CHUNK], key=lambda number: _length(number, states)), states)
    chance.shuffle(found)
    return iter(found)


def _filled(ordered: Sequence[int], states: States) -> Iterator[list[int]]:
    batch: list[int] = []
    windows = 0
    for number in ordered:
        batch.append(number)
        windows += len(states.of_text[number])
        if windows * _length(number, states) >= BATCH_TOKENS:
            yield batch
            batch, windows = [], 0
    if batch:
        yield batch


def mean_of(parts: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """The mean logit of several heads, by row."""
    return {number: sum(part[number] for part in parts) / len(parts) for number in parts[0]}
