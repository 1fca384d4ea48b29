# SPDX-License-Identifier: Apache-2.0
import pytest

from inference.screen.combining import classified_by, combined
from policies.screening.judging import HIDDEN_ORDER
from policies.screening.model import Layer, Signal


def signal(score, layer=Layer.RULES):
    return Signal(layer=layer, name="x", version="1", score=score)


@pytest.mark.parametrize(
    ("windows", "sentences", "want"),
    [
        pytest.param([], [], 0.0, id="nothing"),
        pytest.param([0.2, 0.7], [], 0.7, id="the-worst-window"),
        pytest.param([0.7], [0.6], 0.7, id="a-sentence-takes-nothing-away"),
        pytest.param([0.5], [0.9], 0.75, id="a-sentence-counts-half"),
        pytest.param([0.1], [0.9], 0.5, id="halfway-in-log-odds"),
        pytest.param([0.0], [1.0], 0.5, id="sure-of-both"),
        pytest.param([1.0], [1.0], 1.0, id="sure"),
    ],
)
def test_the_worst_window_decides_and_a_sentence_counts_half(windows, sentences, want):
    scores = [(score, False) for score in windows] + [(score, True) for score in sentences]
    assert classified_by(scores) == pytest.approx(want)


@pytest.mark.parametrize(
    ("classified", "signals", "want"),
    [
        pytest.param(0.3, [], 0.3, id="no-signal-changes-nothing"),
        pytest.param(0.0, [signal(0.8), signal(0.2)], 0.8, id="the-strongest-counts"),
        pytest.param(0.5, [signal(0.5)], 0.75, id="either-is-enough"),
        pytest.param(1.0, [signal(1.0)], 1.0, id="never-above-one"),
        pytest.param(0.3, [signal(0.9, Layer.STRUCTURE)], 0.3, id="structure-is-told-only"),
        pytest.param(0.5, [HIDDEN_ORDER, signal(0.5)], 0.85, id="but-for-hidden-orders"),
    ],
)
def test_rules_add_to_the_classifier(classified, signals, want):
    assert combined(classified, signals) == pytest.approx(want)
