# SPDX-License-Identifier: Apache-2.0
import random

import pytest
import yaml

from inference.screen.calibrating import OutOfReach, TooFewTexts, calibrated, least_texts, policy_snippet, upper_bound
from inference.screen.question import Versions
from policies.screening.model import Origin


@pytest.mark.parametrize(
    ("count", "of", "want"),
    [
        pytest.param(0, 299, 0.00997, id="none-is-the-rule-of-three"),
        pytest.param(0, 59, 0.0495, id="none-of-few"),
        pytest.param(1, 100, 0.0466, id="one"),
        pytest.param(10, 1000, 0.0169, id="ten"),
        pytest.param(5, 5, 1.0, id="all"),
    ],
)
def test_the_bound_is_clopper_and_pearsons(count, of, want):
    assert upper_bound(count, of) == pytest.approx(want, abs=1e-4)


def test_the_bound_holds_as_often_as_it_says():
    dice = random.Random(7)
    held = sum(upper_bound(sum(dice.random() < 0.03 for _ in range(200)), 200) >= 0.03 for _ in range(400))
    assert held / 400 >= 0.93


@pytest.mark.parametrize(("rate", "want"), [(0.01, 299), (0.05, 59), (0.5, 5)])
def test_as_few_texts_as_can_show_the_rate_are_enough(rate, want):
    assert least_texts(rate) == want
    assert calibrated([0.1] * want, rate).alarm_count == 0
    with pytest.raises(TooFewTexts, match=f"give {want} or more"):
        calibrated([0.1] * (want - 1), rate)


def test_the_lowest_threshold_that_keeps_the_rate():
    scores = [number / 1000 for number in range(1000)]
    found = calibrated(scores, 0.01)
    assert (found.threshold, found.alarm_count, found.rate) == (0.9891, 10, 0.01)
    assert found.most_rate == pytest.approx(0.0169, abs=1e-4)


def test_equal_scores_are_not_split():
    found = calibrated([0.9] * 50 + [0.1] * 950, 0.01)
    assert (found.threshold, found.alarm_count) == (0.9001, 0)


def test_says_where_no_threshold_is_high_enough():
    with pytest.raises(OutOfReach):
        calibrated([1.0] * 50 + [0.1] * 950, 0.01)


def test_the_snippet_is_a_classifier_rule_of_a_policy():
    found = {Origin.TOOL_RESULT: calibrated([0.2] * 400, 0.01), Origin.USER: calibrated([0.4] * 500, 0.01)}
    snippet = policy_snippet(found, 0.01, Versions(rules="3", structure="2", classifier="minilm/abc"))
    assert yaml.safe_load(snippet) == {
        "classifier": [
            {
                "id": "injection",
                "effect": "deny",
                "fields": ["tool-result", "user"],
                "thresholds": {"tool-result": 0.2001, "user": 0.4001},
            }
        ]
    }
    assert "0 of 400 texts reach it (0.00%); 95% confident that at most 0.75% do" in snippet
