# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.decision import EngineAnswer, Mode, Outcome, PolicyAnswer
from policies.contracts.errors import EvaluationFailed
from policies.contracts.prompts import PromptsPolicy
from policies.evaluation.expected import complete, expected_of
from tests.unit.proxy_addons.harness import snapshot

PROMPTS = PromptsPolicy(id="approved", version="1", mode=Mode.WARN, prompts=(), rules=())


def answer(*said, neutral=0):
    answers = (PolicyAnswer(policy=policy, mode=mode, outcome=Outcome.NOT_APPLICABLE) for policy, mode in said)
    return EngineAnswer(engine="prompts", answers=tuple(answers), neutral=neutral)


def test_only_engines_that_have_policies_are_asked_about_texts():
    assert expected_of(snapshot()).texts == ()
    assert [engine for engine, _ in expected_of(snapshot(prompts=(PROMPTS,))).texts] == ["prompts"]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(answer(), id="one-left-out"),
        pytest.param(answer(("approved", Mode.ENFORCE)), id="another-mode"),
        pytest.param(answer(("approved", Mode.WARN), ("other", Mode.WARN)), id="one-too-many"),
        pytest.param(answer(("approved", Mode.WARN), ("approved", Mode.WARN)), id="one-twice"),
        pytest.param(0.0, id="no-answer"),
    ],
)
def test_an_answer_of_other_policies_is_an_error(given):
    [(_, policies)] = expected_of(snapshot(prompts=(PROMPTS,))).texts
    with pytest.raises(EvaluationFailed):
        complete(given, policies)


def test_an_answer_of_all_is_taken_again():
    [(_, policies)] = expected_of(snapshot(prompts=(PROMPTS,))).texts
    given = answer(("approved", Mode.WARN))
    assert complete(given, policies) is complete(given, policies) is given
