# SPDX-License-Identifier: Apache-2.0
"""What policy says of the texts of one request, for the decision that it is part of."""

from policies.contracts.decision import EngineAnswer
from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import Dialect
from policies.evaluation import system_prompts
from policies.evaluation.pipeline import AskTexts
from policies.evaluation.system_prompts import SystemPrompt
from proxy_addons.core.active import ActivePolicy
from proxy_addons.core.openai_request import ReadRequest
from proxy_addons.core.system_texts import system_texts


class JudgedTexts:
    """Answers a decision's AskTexts by `policy`. Afterwards it knows what is to be done where the request is allowed.

    `read` is the body that was examined, None where the request has none.
    """

    def __init__(
        self, policy: ActivePolicy, asked: EvaluationRequest, read: ReadRequest | None, dialect: Dialect
    ) -> None:
        self.prompt: SystemPrompt | None = None
        self._policy = policy
        self._asked = asked
        self._read = read
        self._dialect = dialect

    async def judge(self, ask: AskTexts) -> EngineAnswer:
        """Return the answer of the engine that is asked. Raises EvaluationFailed for one that there is not."""
        if ask.engine != system_prompts.ENGINE:
            raise EvaluationFailed(ask.engine, "there is no such engine")
        said = system_texts(self._read, self._dialect)
        judged = system_prompts.judge_prompts(self._policy.snapshot, self._asked, said)
        self.prompt = judged.prompt
        return judged.answer
