# SPDX-License-Identifier: Apache-2.0
from inference.job import FinishReason
from inference.load import EngineObserver, Outcome, Unobserved


def test_every_way_to_finish_is_an_outcome():
    assert {str(reason) for reason in FinishReason} < {str(outcome) for outcome in Outcome}


def test_nobody_is_an_observer():
    nobody: EngineObserver = Unobserved()
    nobody.begun(prompt_tokens=1, queue_s=0.0)
    nobody.first_token(after_s=0.0)
    nobody.tokens(1)
    nobody.ended(Outcome.STOP, completion_tokens=1, after_s=0.0)
