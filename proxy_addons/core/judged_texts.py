# SPDX-License-Identifier: Apache-2.0
"""What policy says of the texts of one request, for the decision that it is part of."""

import functools
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from policies.contracts.decision import EngineAnswer
from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import Dialect
from policies.evaluation import screening, system_prompts
from policies.evaluation.pipeline import AskTexts
from policies.evaluation.screening import Screened
from policies.evaluation.system_prompts import SystemPrompt
from policies.redaction.findings import Tally
from proxy_addons.core.active import ActivePolicy
from proxy_addons.core.openai_request import ReadRequest
from proxy_addons.core.request_screening import screen_request
from proxy_addons.core.system_texts import system_texts

# Does what is to be done about so many bytes: here, or beside the event loop where they are many.
Run: TypeAlias = Callable[[int, Callable[[], None]], Awaitable[None]]


class JudgedTexts:
    """Answers a decision's AskTexts by `policy`. Afterwards it knows what is to be done where the request is allowed.

    `read` is the body that was examined, None where the request has none. `prompt` is the approved system prompt,
    `screened` what screening found.
    """

    def __init__(
        self, policy: ActivePolicy, asked: EvaluationRequest, read: ReadRequest | None, dialect: Dialect, *, run: Run
    ) -> None:
        self.prompt: SystemPrompt | None = None
        self.screened: tuple[Screened, ...] = ()
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
