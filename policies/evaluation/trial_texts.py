# SPDX-License-Identifier: Apache-2.0
"""What policy says of the text of a test, as if it were all that the request says.

Facts: nobody asks a screen here. What it would say of the text is what the test says that it says; where that is left
out, the classifier's rules find nothing.
"""

from collections.abc import Awaitable, Callable, Iterator

from policies.contracts.asked_screen import ScreenAnswer, ScreenScore, ScreenText
from policies.contracts.canaries import Canary, TrialText
from policies.contracts.decision import EngineAnswer
from policies.contracts.errors import EvaluationFailed
from policies.contracts.redaction import Direction, FieldClass
from policies.contracts.request import EvaluationRequest
from policies.contracts.screening import WHOLE_BP
from policies.contracts.snapshot import PolicySnapshot
from policies.evaluation import classifier
from policies.evaluation.classifier import JudgedByClassifier, classifier_of
from policies.evaluation.pipeline import AskTexts
from policies.evaluation.screening import ENGINE, JudgedScreen, Screening, screening_of
from policies.evaluation.system_prompts import WITH_ROLES, WITHOUT_ROLES, SystemTexts, judge_prompts


class TrialTexts:
    """The text of one trial before the policies for texts of requests.

    `screening` is the snapshot's where somebody has it ready; else its patterns are compiled here.
    """

    def __init__(
        self, trial: Canary, request: EvaluationRequest, snapshot: PolicySnapshot, screening: Screening | None = None
    ) -> None:
        of_request = trial.text is not None and trial.text.direction is Direction.REQUEST
        self._text = trial.text if of_request else None
        self._request = request
        self._snapshot = snapshot
        self.screen: JudgedScreen | None = None
        self._by_score = self._scored()
        if self._text is not None and snapshot.screening:
            screening = screening or screening_of(snapshot)
            self.screen = screening.text(self._text.text, self._text.field, request, snapshot)

    @property
    def judge(self) -> Callable[[AskTexts], Awaitable[EngineAnswer]] | None:
        """Who judges the text; None where the trial has none of a request, so that none is asked about."""
        return None if self._text is None else self._judged

    @property
    def screened(self) -> tuple[tuple[str, str], ...]:
        """The screening rules that found something, each as its policy and its id."""
        scored = None if self._by_score is None else self._by_score.report
        by_rules = () if self.screen is None else self.screen.found
        by_score = () if scored is None else scored.findings
        return (
            *((each.policy, each.rule) for each in by_rules),
            *((each.policy, each.rule) for each in by_score),
        )

    def problems(self) -> Iterator[str]:
        """Give what differs from what the trial expects of screening."""
        wanted = None if self._text is None else self._text.screened
        if wanted is not None and wanted is not bool(self.screened):
            yield "the request is screened" if self.screened else "the request is not screened"

    def _scored(self) -> JudgedByClassifier | None:
        """Return what the score of the test comes to; None where it states none."""
        if self._text is None or self._text.score_bp is None:
            return None
        asking = classifier_of(self._snapshot).asking(self._request, self._snapshot)
        about = asking.about([ScreenText(self._text.text, self._text.field)])
        answer = ScreenAnswer(scores=(ScreenScore(self._text.score_bp / WHOLE_BP),))
        return about.judged([answer for _ in about.questions])

    async def _judged(self, ask: AskTexts) -> EngineAnswer:
        if ask.engine == classifier.ENGINE:
            return classifier_of(self._snapshot).neutral if self._by_score is None else self._by_score.answer
        if ask.engine == ENGINE and self.screen is not None:
            return self.screen.answer
        if self._text is None:
            raise EvaluationFailed(ask.engine, "the trial has no text")
        said = _said_as_system(self._text, self._request.action, self._snapshot)
        return judge_prompts(self._snapshot, self._request, said).answer


def _said_as_system(text: TrialText, operation: str, snapshot: PolicySnapshot) -> SystemTexts | None:
    dialects = {route.dialect for route in snapshot.routes if route.operation == operation}
    if dialects & WITHOUT_ROLES:
        return SystemTexts(has_roles=False)
    if not dialects & WITH_ROLES:
        return None
    of_system = text.field in (FieldClass.SYSTEM, FieldClass.DEVELOPER)
    return SystemTexts(texts=(text.text,) if of_system else ())
