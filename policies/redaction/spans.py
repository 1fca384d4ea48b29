# SPDX-License-Identifier: Apache-2.0
"""Which spans of a text are acted on, where findings overlap.

The stated order: findings that a rule acts on and that overlap are one span, from where the first begins to where the
last ends; so nothing of any of them is left. Its rule is that of the severest action among them (block, cut, remove,
replace, hash, mask), then of the earlier policy, then of the earlier detector, then of the longer finding. Findings
that a rule only annotates, or that only observing rules look for, take no part.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from policies.contracts.snapshot import RedactionAction
from policies.redaction.field_rules import FieldRules
from policies.redaction.selection import RuleUse
from policies.scanning.finder import Finding


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]`, and the finding in it whose rule decides."""

    start: int
    end: int
    finding: Finding
    rule: RuleUse


def acted_on(findings: Iterable[Finding], rules: FieldRules) -> Iterator[Span]:
    """Give the spans, in order and disjoint, of findings that stand in the order of their beginnings."""
    together: list[Finding] = []
    end = 0
    for finding in findings:
        use = rules.deciding[finding.detector]
        if use is None or use.action is RedactionAction.ANNOTATE:
            continue
        if together and finding.start >= end:
            yield _span(together, end, rules)
            together = []
        together.append(finding)
        end = max(end, finding.end)
    if together:
        yield _span(together, end, rules)


def _span(together: list[Finding], end: int, rules: FieldRules) -> Span:
    decides = max(together, key=lambda each: (*rules.severity(each.detector), each.end - each.start))
    rule = rules.deciding[decides.detector]
    if rule is None:
        raise LookupError("no rule acts on it")
    return Span(together[0].start, end, decides, rule)
