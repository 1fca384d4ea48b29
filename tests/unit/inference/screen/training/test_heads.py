# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from inference.screen.encoder import WIDTH
from inference.screen.training.corpus import Row
from inference.screen.training.heads import fit_head, head_logits, mean_of, weights_of
from inference.screen.training.states import States


def row(*, injection, source="a", weight=1.0):
    return Row(
        text="x", injection=injection, kind="k", sources=frozenset({source}), groups=frozenset({"g"}), weight=weight
    )


def test_both_labels_weigh_the_same_and_large_lists_less_by_row():
    rows = [row(injection=True), *[row(injection=False, source="b")] * 9, row(injection=False, source="c")]
    found = weights_of(rows)
    assert found[0] == pytest.approx(sum(found[1:]))
    assert found[-1] == pytest.approx(3 * found[1])


def test_learns_a_mark_in_one_token_of_one_window():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    windows, of_text, rows = [], [], []
    for at in range(48):
        own = [torch.randn(6, WIDTH).half(), torch.randn(4, WIDTH).half()]
        if at % 2:
            own[1][2, :40] += 4
        of_text.append([len(windows), len(windows) + 1])
        windows += own
        rows.append(row(injection=bool(at % 2)))
    states = States(windows, of_text)
    head = fit_head(rows, range(32), states, seed=1, epochs=30)
    found = head_logits(head, range(32, 48), states)
    assert min(found[at] for at in range(33, 48, 2)) > max(found[at] for at in range(32, 48, 2))


def test_the_mean_of_heads_is_taken_row_by_row():
    assert mean_of([{1: 0.0, 2: 1.0}, {1: 2.0, 2: 1.0}]) == {1: 1.0, 2: 1.0}
