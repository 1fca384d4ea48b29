# SPDX-License-Identifier: Apache-2.0
import pytest

from inference.api.moderation_shape import NOT_EXAMINED, is_flagged, moderation_json
from inference.screen.question import Judged, Versions
from policies.screening.model import Judgement


@pytest.mark.parametrize(
    ("score", "complete", "want"),
    [
        pytest.param(0.6, True, True, id="injection"),
        pytest.param(0.6, False, True, id="injection-so-far"),
        pytest.param(0.4, True, False, id="benign"),
        pytest.param(0.4, False, True, id="benign-as-far-as-it-was-read"),
    ],
)
def test_only_what_was_examined_whole_can_be_harmless(score, complete, want):
    assert is_flagged(Judgement(score=score, threshold=0.5, complete=complete)) is want


def test_categories_that_are_not_examined_are_false_and_named():
    result = Judgement(score=0.9, threshold=0.5)
    judged = Judged(results=(result,), joined=None, versions=Versions(rules="1", structure="1", classifier="fake/1"))
    body = moderation_json(judged, judged.results, None, id_="modr-1")
    told = body["results"][0]
    assert set(told["categories"]) == set(told["category_scores"]) == set(told["category_applied_input_types"])
    assert set(told["categories"]) == set(NOT_EXAMINED) == set(body["gatehouse"]["not_examined"])
    assert not any(told["categories"].values())
    assert not any(told["category_scores"].values())
    assert not any(told["category_applied_input_types"].values())
