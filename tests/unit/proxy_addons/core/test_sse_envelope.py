# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.decision import Mode
from policies.redaction.findings import Tally
from proxy_addons.core.answer_walk import AnswerWalk
from proxy_addons.core.sse_envelope import Envelope
from tests.streams import EMAIL, rules


def envelope(mode: Mode = Mode.ENFORCE) -> Envelope:
    return Envelope(AnswerWalk(rules(mode=mode), Tally()), "delta")


def test_members_stay_as_they_were_said_first():
    first = envelope()
    said = [first.of_event({"id": each, "choices": []}) for each in ("", "a", "b", None)]
    assert said == [{"id": ""}, {"id": "a"}, {"id": "a"}, {"id": None}]
    assert first.said == {"id": "a"}


@pytest.mark.parametrize(
    ("mode", "want"),
    [
        pytest.param(Mode.ENFORCE, {"id": "[redacted:email]", "usage": {"total_tokens": 3}}, id="enforcing"),
        pytest.param(
            Mode.OBSERVE, {"id": EMAIL, "usage": {"total_tokens": 3, "note": "x"}, "more": "x"}, id="observing"
        ),
    ],
)
def test_what_an_event_keeps(mode, want):
    event = {"id": EMAIL, "usage": {"total_tokens": 3, "note": "x"}, "more": "x", "choices": [{"index": 0}]}
    assert want == envelope(mode).of_event(event)


@pytest.mark.parametrize(
    ("mode", "want"),
    [
        pytest.param(Mode.ENFORCE, {"index": 2, "logprobs": None, "finish_reason": None}, id="enforcing"),
        pytest.param(
            Mode.OBSERVE, {"index": 2, "logprobs": {"content": []}, "finish_reason": None, "more": "x"}, id="observing"
        ),
    ],
)
def test_what_a_choice_keeps(mode, want):
    choice = {"index": 2, "delta": {"content": "x"}, "logprobs": {"content": []}, "finish_reason": "stop", "more": "x"}
    assert want == envelope(mode).of_choice(2, choice)
