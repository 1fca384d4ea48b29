# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime

import pytest

from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.contracts.snapshot import Dialect
from policies.evaluation.pipeline import AskTexts
from proxy_addons.core.judged_texts import JudgedTexts, no_screen
from tests.unit.proxy_addons.harness import active_policy

ASKED = EvaluationRequest(
    request_id="req_1",
    tenant="default",
    environment="production",
    subject=Subject(type="user", id="alice"),
    action="models.list",
    resource=Resource(type="route", id="models.list"),
    facts=RequestFacts(),
    at=datetime(2026, 11, 20, tzinfo=UTC),
)


async def here(_size, examine):
    examine()


def judged(**changes):
    return JudgedTexts(active_policy(**changes), ASKED, None, Dialect.MODELS, run=here, ask_screen=no_screen)


async def test_an_engine_that_there_is_not_refuses_the_request():
    texts = judged()
    with pytest.raises(EvaluationFailed):
        await texts.judge(AskTexts(engine="stars"))


async def test_of_a_request_without_a_body_nothing_is_said():
    texts = judged()
    assert ((await texts.judge(AskTexts(engine="prompts"))).answers, texts.prompt) == ((), None)
    assert ((await texts.judge(AskTexts(engine="screening"))).answers, texts.screened) == ((), ())
    assert ((await texts.judge(AskTexts(engine="classifier"))).answers, texts.screen) == ((), None)
