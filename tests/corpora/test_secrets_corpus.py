# SPDX-License-Identifier: Apache-2.0
"""How well secrets are found in the labelled texts of the corpora, and how little is found where there is nothing."""

import pytest

from benchmarks import quality
from benchmarks.redaction_texts import english

pytestmark = [pytest.mark.corpus, pytest.mark.slow]


@pytest.fixture(scope="module")
def engine(corpora, monkeymodule):
    monkeymodule.setattr("benchmarks.redaction_texts.CORPORA", corpora)
    return quality.gatehouse(strict=False)


def test_secrets_are_found_and_what_looks_like_one_is_left(engine):
    score = quality.secret(engine)
    assert score.spans > 900
    assert score.recall >= 0.97
    assert score.precision >= 0.95


def test_hardly_anything_is_found_in_prompts_that_mean_no_harm(engine):
    texts = english()
    plain = quality.findings_in(engine, texts)
    size, kinds = plain[:2]
    secrets = sum(count for kind, count in kinds.items() if kind.startswith("secret."))
    assert size > 0.5
    # Addresses and numbers there are what they look like; a secret is not.
    assert kinds.total() / size < 60
    assert secrets / size < 3
