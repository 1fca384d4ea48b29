# SPDX-License-Identifier: Apache-2.0
import pytest

from inference.screen.calibration import probability
from inference.screen.training.corpus import Row
from inference.screen.training.evaluate import DEFAULT, HARD_BENIGN_PASS, OutOfFold, calibrate, figures_of
from inference.screen.training.folds import BY_SOURCE


def outcome():
    rows, logits = [], []
    for fold, sources in enumerate(BY_SOURCE):
        for at in range(50):
            injection = at % 2 == 1
            rows.append(
                Row(
                    text=f"{fold} {at}",
                    injection=injection,
                    kind="direct" if injection else "hard-benign",
                    sources=frozenset({sources[0]}),
                    groups=frozenset({f"{fold} {at}"}),
                )
            )
            logits.append((2.0 if injection else -2.0) + at / 50)
    return OutOfFold(tuple(rows), tuple(logits), tuple(-each for each in logits))


def test_the_wanted_share_of_hard_benign_prompts_passes_at_the_default():
    found = outcome()
    factors = calibrate(found)
    hard = [
        probability(factors.both, (head, ngram))
        for row, head, ngram in zip(found.rows, found.head, found.ngram, strict=True)
        if row.kind == "hard-benign"
    ]
    assert sum(score < DEFAULT for score in hard) / len(hard) == pytest.approx(HARD_BENIGN_PASS, abs=0.02)


def test_a_logit_that_tells_raises_the_probability_and_one_that_misleads_lowers_it():
    factors = calibrate(outcome())
    assert probability(factors.both, (2.0, -2.0)) > probability(factors.both, (-2.0, 2.0))


def test_a_calibration_needs_both_labels():
    found = outcome()
    with pytest.raises(ValueError, match="both"):
        calibrate(found.only([row.injection for row in found.rows]))


def test_figures_say_what_was_flagged_by_kind_and_source():
    table = figures_of(outcome())["left_out_sources"]["minilm"]["by_kind_and_source"]
    assert table["direct"]["rows"] == 25 * len(BY_SOURCE)
    assert table["direct"]["flagged_at_1_percent_false_alarms"] == 1.0
    assert f"direct, {BY_SOURCE[0][0]}" in table
