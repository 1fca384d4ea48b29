# SPDX-License-Identifier: Apache-2.0
"""How well personal data that has a form is found in the labelled texts of the corpora, counted as the benchmark counts."""

import pytest

from benchmarks import quality

pytestmark = [pytest.mark.corpus, pytest.mark.slow]

# With as many spans as each must have, so that a corpus that is not read does not pass.
SPANS = {"CREDIT_CARD": 200, "US_SSN": 30, "IBAN_CODE": 30, "EMAIL_ADDRESS": 70, "PHONE_NUMBER": 150}


@pytest.fixture(scope="module")
def scores(corpora, monkeymodule):
    monkeymodule.setattr("benchmarks.redaction_texts.CORPORA", corpora)
    return quality.personal(quality.gatehouse(strict=False))


@pytest.mark.parametrize("kind", SPANS)
def test_what_has_a_form_is_found_and_hardly_anything_else(scores, kind):
    score = scores[kind]
    assert score.spans >= SPANS[kind]
    assert score.f1 >= 0.95, (score.precision, score.recall)


@pytest.mark.parametrize("kind", SPANS)
def test_what_has_a_form_is_covered_whole_by_findings_of_whatever_kind(scores, kind):
    score = scores[kind]
    assert score.hidden / score.spans >= 0.95
