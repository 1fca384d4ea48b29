# SPDX-License-Identifier: Apache-2.0
"""What the classifier rules of screening policies make of the scores that a prompt screen gives the texts of a request.

Theory: policy decides, the screen only says how likely a text is an injection. What is to be asked follows from the
rules that select the request: the texts of the classes for which they have a threshold. Rules with the same texts are
one question, so that most requests are one; a rule that alone selects some classes has them joined by themselves.

Rules: nothing is asked where no rule selects the request, or it has no text of their classes. What the texts say
together is held against the highest threshold among their classes: whoever may quote an attack alone may do so beside
other texts. A screen that does not answer, or not about everything, is what `ask` of each policy says of it.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from policies.contracts.asked_screen import ScreenAbsent, ScreenAnswer, ScreenQuestion, ScreenReply, ScreenText
from policies.contracts.decision import EngineAnswer, Mode, Outcome, PolicyAnswer, Reason
from policies.contracts.redaction import FieldClass
from policies.contracts.request import EvaluationRequest
from policies.contracts.screening import (
    INCOMPLETE,
    UNAVAILABLE,
    WHOLE_BP,
    ClassifierRule,
    Otherwise,
    ScreenAsk,
    ScreenEffect,
    ScreeningPolicy,
)
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.groups import selectors_of
from policies.engines.per_snapshot import per_snapshot
from policies.evaluation.screen_report import ABSENT, ANSWERED, JOINED, PARTIAL, ScreenFinding, ScreenReport
from policies.redaction.selection import selects

ENGINE: Final = "classifier"

# In the order in which texts are joined: those of one class stand side by side, as somebody splits a payload over them.
_ORDER: Final = {field: place for place, field in enumerate(FieldClass)}
_NEVER: Final = math.inf
_Of: TypeAlias = tuple[ScreeningPolicy, ClassifierRule]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedByClassifier:
    """The engine's answer; `report` is None where nobody was asked."""

    answer: EngineAnswer
    report: ScreenReport | None = None


class Classifier:
    """The classifier rules of one snapshot. Built once, off the path of requests; immutable."""

    __slots__ = ("_policies", "neutral")

    def __init__(self, policies: Sequence[ScreeningPolicy]) -> None:
        self._policies = tuple(policy for policy in policies if policy.classifier)
        answers = (
            PolicyAnswer(policy=each.id, mode=each.mode, outcome=Outcome.NOT_APPLICABLE) for each in self._policies
        )
        self.neutral = EngineAnswer(engine=ENGINE, answers=tuple(answers))

    @property
    def may_deny(self) -> bool:
        """Whether some request is refused for want of a screen."""
        return any(
            policy.mode is Mode.ENFORCE and _ask(policy).when_absent is Otherwise.DENY and _denies(policy.classifier)
            for policy in self._policies
        )

    def asking(self, request: EvaluationRequest, snapshot: PolicySnapshot) -> "Asking":
        """Return what is to be asked about `request`."""
        if not self._policies:
            return Asking(self, ())
        selectors = selectors_of(snapshot, request.subject)
        model = request.resource.id if request.resource.type == "model" else None
        rules = [
            (policy, rule)
            for policy in self._policies
            for rule in policy.classifier
            if selects(rule, operation=request.action, model=model, subject=selectors)
        ]
        return Asking(self, rules)

    def answered(self, reasons: Mapping[str, Sequence[Reason]]) -> EngineAnswer:
        """Return the answer in which the policies named in `reasons` deny for them."""
        if not any(reasons.values()):
            return self.neutral
        answers = (
            PolicyAnswer(policy=each.policy, mode=each.mode, outcome=Outcome.DENY, reasons=tuple(reasons[each.policy]))
            if reasons.get(each.policy)
            else each
            for each in self.neutral.answers
        )
        return EngineAnswer(engine=ENGINE, answers=tuple(answers))


class Asking:
    """The rules for one request: what is asked because of them."""

    __slots__ = ("_classifier", "_rules", "fields")

    def __init__(self, classifier: Classifier, rules: Sequence[_Of]) -> None:
        self._classifier = classifier
        self._rules = rules
        # The classes of texts that are asked about; none where nobody is asked.
        self.fields = frozenset(each for _, rule in rules for each in _classes(rule))

    @property
    def deadline_ms(self) -> int:
        """How long the request waits for the screen: as the policy says that gives it the longest."""
        return max((_ask(policy).deadline_ms for policy, _ in self._rules), default=0)

    def about(self, texts: Iterable[ScreenText], *, whole: bool = True) -> "AskedAbout":
        """Return the questions about a request of `texts`. Not `whole`: it has others that are not asked about."""
        ordered = sorted(texts, key=lambda each: _ORDER[each.field])
        questions: dict[frozenset[FieldClass], ScreenQuestion] = {}
        by_rule: list[tuple[_Of, frozenset[FieldClass]]] = []
        there = {each.field for each in ordered}
        for policy, rule in self._rules:
            classes = _classes(rule) & there
            if classes:
                asked = tuple(each for each in ordered if each.field in classes)
                questions.setdefault(classes, ScreenQuestion(texts=asked, joined=len(asked) > 1, whole=whole))
                by_rule.append(((policy, rule), classes))
        places = {classes: place for place, classes in enumerate(questions)}
        rules = tuple((of, places[classes]) for of, classes in by_rule)
        return AskedAbout(self._classifier, tuple(questions.values()), rules)


class AskedAbout:
    """`questions` about one request, and what the rules make of the replies to them."""

    __slots__ = ("_classifier", "_rules", "questions")

    def __init__(
        self, classifier: Classifier, questions: tuple[ScreenQuestion, ...], rules: Sequence[tuple[_Of, int]]
    ) -> None:
        self.questions = questions
        self._classifier = classifier
        self._rules = rules

    def judged(self, replies: Sequence[ScreenReply]) -> JudgedByClassifier:
        """Return what becomes of a request whose questions got `replies`, in their order."""
        if not self.questions:
            return JudgedByClassifier(answer=self._classifier.neutral)
        reasons: dict[str, list[Reason]] = {}
        found: list[ScreenFinding] = []
        for (policy, rule), place in self._rules:
            question, reply = self.questions[place], replies[place]
            findings = [] if isinstance(reply, ScreenAbsent) else list(_findings(policy, rule, question, reply))
            found += findings
            if rule.effect is ScreenEffect.DENY and (code := _reason(policy, rule, question, reply, found=findings)):
                named = rule.id if findings else ""
                reasons.setdefault(policy.id, []).append(Reason(code=code, policy=policy.id, rule=named))
        unique = {policy: tuple(dict.fromkeys(given)) for policy, given in reasons.items()}
        answer = self._classifier.answered(unique)
        return JudgedByClassifier(answer=answer, report=_report(self.questions, replies, found))


@per_snapshot
def classifier_of(snapshot: PolicySnapshot) -> Classifier:
    """Return the classifier rules of `snapshot`."""
    return Classifier(snapshot.screening)


def _denies(rules: Collection[ClassifierRule]) -> bool:
    return any(rule.effect is ScreenEffect.DENY for rule in rules)


def _ask(policy: ScreeningPolicy) -> ScreenAsk:
    return policy.ask or ScreenAsk()


def _classes(rule: ClassifierRule) -> frozenset[FieldClass]:
    return frozenset(each for each in FieldClass if rule.threshold_of(each) is not None)


def _findings(
    policy: ScreeningPolicy, rule: ClassifierRule, question: ScreenQuestion, answer: ScreenAnswer
) -> Iterator[ScreenFinding]:
    """Give the texts that the rule finds, and what they say together where that scores high enough for each class."""
    thresholds = {each: _threshold(rule, each) for each in {text.field for text in question.texts}}
    action = str(rule.effect if policy.mode is Mode.ENFORCE else policy.mode)
    for text, scored in zip(question.texts, answer.scores, strict=True):
        if scored.score >= thresholds[text.field]:
            yield ScreenFinding.of(policy.id, rule.id, action, scored, field=text.field.value, path=text.path)
    if answer.joined is not None and answer.joined.score >= max(thresholds.values()):
        yield ScreenFinding.of(policy.id, rule.id, action, answer.joined, field=JOINED, path="")


def _threshold(rule: ClassifierRule, of: FieldClass) -> float:
    threshold_bp = rule.threshold_of(of)
    return _NEVER if threshold_bp is None else threshold_bp / WHOLE_BP


def _reason(
    policy: ScreeningPolicy,
    rule: ClassifierRule,
    question: ScreenQuestion,
    reply: ScreenReply,
    *,
    found: Sequence[ScreenFinding],
) -> str:
    """Return why a rule that denies does so; empty where it does not."""
    if isinstance(reply, ScreenAbsent):
        return UNAVAILABLE if _ask(policy).when_absent is Otherwise.DENY else ""
    if found:
        return rule.reason
    incomplete = not is_complete(question, reply)
    return INCOMPLETE if incomplete and _ask(policy).when_incomplete is Otherwise.DENY else ""


def _report(
    questions: Sequence[ScreenQuestion], replies: Sequence[ScreenReply], found: Sequence[ScreenFinding]
) -> ScreenReport:
    """Return what the record says: the worst of what the questions came to, and by which versions."""
    absent = [reply.why for reply in replies if isinstance(reply, ScreenAbsent)]
    answers = [reply for reply in replies if isinstance(reply, ScreenAnswer)]
    complete = all(
        is_complete(question, reply)
        for question, reply in zip(questions, replies, strict=True)
        if isinstance(reply, ScreenAnswer)
    )
    return ScreenReport(
        outcome=ABSENT if absent else ANSWERED if complete else PARTIAL,
        why=absent[0] if absent else "",
        versions=dict(answers[0].versions) if answers else {},
        findings=tuple(found),
    )


def is_complete(question: ScreenQuestion, answer: ScreenAnswer) -> bool:
    """Return whether all that was to be judged was."""
    joined = answer.joined is None or answer.joined.complete
    return question.whole and answer.complete and joined and all(each.complete for each in answer.scores)
