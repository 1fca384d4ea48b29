# SPDX-License-Identifier: Apache-2.0
import pytest

from inference.screen.question import Judged, Versions
from policies.screening.model import Judgement

VERSIONS = Versions(rules="1", structure="1", classifier="fake/1")


def judgement(*, complete):
    return Judgement(score=0.1, threshold=0.5, complete=complete)


@pytest.mark.parametrize(
    ("results", "joined", "want"),
    [
        pytest.param([True, True], None, True, id="all"),
        pytest.param([True, False], None, False, id="one-is-not"),
        pytest.param([True, True], True, True, id="all-with-seams"),
        pytest.param([True, True], False, False, id="the-seams-are-not"),
    ],
)
def test_an_answer_is_complete_when_all_of_it_is(results, joined, want):
    judged = Judged(
        results=tuple(judgement(complete=each) for each in results),
        joined=None if joined is None else judgement(complete=joined),
        versions=VERSIONS,
    )
    assert judged.complete is want
