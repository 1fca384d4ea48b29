# SPDX-License-Identifier: Apache-2.0
"""The detectors that a policy defines itself, as detectors like ours: its patterns with a judge, and its literals.

What is scanned is a copy of the text that is folded (`policies.scanning.fold`), so what is looked for as it stands is
folded too. Expressions are not: what they name beyond ASCII is checked when a policy is compiled.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from policies.contracts.snapshot import CustomDetector, LiteralList, RedactionPolicy
from policies.detectors.catalogue import own_name
from policies.detectors.context import Words, leads
from policies.detectors.contract import ALPHANUMERIC, Candidate, Detector, Pattern
from policies.detectors.validators import Validator, validator
from policies.scanning.fold import folded

_CERTAIN: Final = 1.0

# One to three characters, not alphanumeric, between each two of a text that is spelled out. With fewer letters than
# this, a spelled out text is any list.
_FEWEST_SPELLED: Final = 4
_SPELLED: Final = r"[^A-Za-z0-9]{1,3}"
_MARK: Final = re.compile(r"[!-/:-@\[-`{-~]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def own_detectors(policies: Iterable[RedactionPolicy]) -> tuple[Detector, ...]:
    """Return the detectors that the policies define, in their order: those with patterns before the literal lists."""
    return tuple(
        detector
        for policy in policies
        for detector in (
            *(from_patterns(policy.id, each) for each in policy.detectors),
            *(from_literals(policy.id, each) for each in policy.literals),
        )
    )


def from_patterns(policy: str, detector: CustomDetector) -> Detector:
    """Return a policy's detector. Raises LookupError for a validator that there is not."""
    patterns = tuple(
        Pattern(expression=each.expression, alone=_alone(each.alone), ignore_case=each.ignore_case)
        for each in detector.patterns
    )
    judge = _Judge(
        score=detector.score_percent / 100,
        check=None if detector.validator is None else validator(detector.validator),
        context=Words.of(*detector.context),
        needs_context=detector.needs_context,
    )
    name = own_name(policy, detector.id)
    return Detector(name=name, kind=detector.kind, group="", patterns=patterns, finds=(), ignores=(), judge=judge)


def from_literals(policy: str, literals: LiteralList) -> Detector:
    """Return the detector of a literal list: a pattern for each text, or for each of its disguises."""
    values = dict.fromkeys(folded(value) for value in literals.values)
    expressions = dict.fromkeys(
        expression
        for value in values
        for expression in (_disguises(value) if literals.disguised else (expression_of(value),))
    )
    patterns = tuple(
        Pattern(expression=expression, alone=_alone(literals.alone), ignore_case=literals.ignore_case)
        for expression in expressions
    )
    name = own_name(policy, literals.id)
    return Detector(name=name, kind=literals.kind, group="", patterns=patterns, finds=(), ignores=())


def expression_of(text: str) -> str:
    """Return the expression that matches `text` and nothing else."""
    marked = _MARK.sub(lambda mark: f"\\{mark[0]}", text)
    return _CONTROL.sub(lambda control: f"\\x{ord(control[0]):02x}", marked)


@dataclass(frozen=True, slots=True)
class _Judge:
    score: float
    check: Validator | None
    context: Words
    needs_context: bool

    def __call__(self, candidate: Candidate) -> float | None:
        """What its context vouches for is a finding in lenient mode, whatever its validator says."""
        vouched = leads(candidate.before, self.context)
        if self.needs_context and not vouched:
            return None
        if self.check is not None and not self.check(candidate.value) and not (vouched and candidate.lenient):
            return None
        return _CERTAIN if vouched else self.score


def _disguises(text: str) -> Iterator[str]:
    """Give the expressions of a text as it is, backwards, and either spelled out, its own marks left out or not."""
    for way in (text, text[::-1]):
        yield expression_of(way)
        letters = [character for character in way if character.isalnum()]
        if len(letters) >= _FEWEST_SPELLED:
            yield _SPELLED.join(letters)


def _alone(stated: str | None) -> str:
    return ALPHANUMERIC if stated is None else stated
