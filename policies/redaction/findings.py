# SPDX-License-Identifier: Apache-2.0
"""What redaction reports: how often which rule found what. Never the text."""

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class AppliedRule:
    """One rule for one detector. `action` is `replace` or `block`, or the policy's mode `warn` or `observe`."""

    detector: str
    policy: str
    rule: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingCount:
    """`count` findings of one detector, by the rule that looked for them."""

    detector: str
    policy: str
    rule: str
    action: str
    count: int


class AnswerBlocked(Exception):
    """A finding that a rule blocks. Nothing of the answer that has not left yet may leave."""

    def __init__(self, *, policy: str, rule: str, detector: str) -> None:
        super().__init__(f"rule {rule!r} of policy {policy!r} blocks answers with a finding of {detector}")
        self.policy = policy
        self.rule = rule
        self.detector = detector


class Tally:
    """Counts findings, for one answer: all of its fields add to the same tally."""

    def __init__(self) -> None:
        self._counts: Counter[AppliedRule] = Counter()
        self._findings: tuple[FindingCount, ...] | None = ()  # None: to be counted out again
        self.total = 0

    def add(self, rule: AppliedRule) -> None:
        self._counts[rule] += 1
        self._findings = None
        self.total += 1

    @property
    def findings(self) -> tuple[FindingCount, ...]:
        """The counts, in the order of detector, policy and rule."""
        if self._findings is None:
            self._findings = tuple(
                FindingCount(
                    detector=rule.detector, policy=rule.policy, rule=rule.rule, action=rule.action, count=count
                )
                for rule, count in sorted(self._counts.items())
            )
        return self._findings
