# SPDX-License-Identifier: Apache-2.0
"""What policy says of the texts of one request, for the decision that it is part of."""

import functools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias

from policies.contracts.asked_screen import ScreenAbsent, ScreenQuestion, ScreenReply, ScreenText
from policies.contracts.decision import EngineAnswer
from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import Dialect
from policies.evaluation import classifier, screening, system_prompts
from policies.evaluation.classifier import classifier_of
from policies.evaluation.pipeline import AskTexts
from policies.evaluation.screen_report import ScreenReport
from policies.evaluation.screening import Screened
from policies.evaluation.system_prompts import SystemPrompt
from policies.redaction.findings import Tally
from proxy_addons.core.active import ActivePolicy
from proxy_addons.core.openai_request import ReadRequest
from proxy_addons.core.request_screening import screen_request, texts_of
from proxy_addons.core.screen_answer import MOST_TEXTS
from proxy_addons.core.system_texts import system_texts

# Does what is to be done about so many bytes: here, or beside the event loop where they are many.
Run: TypeAlias = Callable[[int, Callable[[], None]], Awaitable[None]]


class AskScreen(Protocol):
    """Asks the node's prompt screen. Whatever is wrong with it is a reply too; it raises nothing."""

    async def __call__(self, questions: Sequence[ScreenQuestion], *, deadline_ms: int) -> Sequence[ScreenReply]:
        """Return the answer to each question, or why there is none within `deadline_ms`."""


async def no_screen(questions: Sequence[ScreenQuestion], *, deadline_ms: int) -> Sequence[ScreenReply]:  # noqa: ARG001  # as AskScreen
    """Say that there is none, where a node has none."""
    return [ScreenAbsent("not-set-up") for _ in questions]


class JudgedTexts:
    """Answers a decision's AskTexts by `policy`. Afterwards it knows what is to be done where the request is allowed.

    `read` is the body that was examined, None where the request has none. `prompt` is the approved system prompt,
    `screened` what screening found, `screen` what came of asking the prompt screen, None where nobody asked it.
    """

    def __init__(
        self,
        policy: ActivePolicy,
        asked: EvaluationRequest,
        read: ReadRequest | None,
        dialect: Dialect,
        *,
        run: Run,
        ask_screen: AskScreen,
    ) -> None:
        self.prompt: SystemPrompt | None = None
        self.screened: tuple[Screened, ...] = ()
        self.screen: ScreenReport | None = None
        self._ask_screen = ask_screen
        self._policy = policy
        self._asked = asked
        self._read = read
        self._dialect = dialect
        self._run = run

    async def judge(self, ask: AskTexts) -> EngineAnswer:
        """Return the answer of the engine that is asked. Raises EvaluationFailed for one that there is not."""
        if ask.engine == system_prompts.ENGINE:
            return self._prompts()
        if ask.engine == screening.ENGINE:
            return await self._screening()
        if ask.engine == classifier.ENGINE:
            return await self._classifier()
        raise EvaluationFailed(ask.engine, "there is no such engine")

    def _prompts(self) -> EngineAnswer:
        said = system_texts(self._read, self._dialect)
        judged = system_prompts.judge_prompts(self._policy.snapshot, self._asked, said)
        self.prompt = judged.prompt
        return judged.answer

    async def _screening(self) -> EngineAnswer:
        policy, read, tally = self._policy, self._read, Tally()
        rules = policy.screening.rules_for(self._asked, policy.snapshot)
        if read is not None and not rules.idle:
            look = functools.partial(screen_request, read, dialect=self._dialect, rules=rules, tally=tally)
            await self._run(len(read.body), look)
        judged = policy.screening.judged(tally, self._asked, policy.snapshot)
        self.screened = judged.found
        return judged.answer

    async def _classifier(self) -> EngineAnswer:
        policy, read = self._policy, self._read
        of_snapshot = classifier_of(policy.snapshot)
        asking = of_snapshot.asking(self._asked, policy.snapshot)
        if read is None or not asking.fields:
            return of_snapshot.neutral
        began_ns = time.perf_counter_ns()
        found: list[tuple[Sequence[ScreenText], bool]] = []

        def collect() -> None:
            found.append(texts_of(read, dialect=self._dialect, fields=asking.fields, most=MOST_TEXTS))

        await self._run(len(read.body), collect)
        [(texts, whole)] = found
        about = asking.about(texts, whole=whole)
        judged = about.judged(
            await self._ask_screen(about.questions, deadline_ms=asking.deadline_ms) if about.questions else ()
        )
        self.screen = judged.report
        if judged.report is None:
            return judged.answer
        return replace(judged.answer, duration_us=(time.perf_counter_ns() - began_ns) // 1000)
