# SPDX-License-Identifier: Apache-2.0
"""Looks for what the rules want, within what a text may cost, and passes over what redaction wrote itself."""

import re
from dataclasses import replace
from typing import Final

from policies.redaction.field_rules import FieldRules
from policies.redaction.findings import AnswerBlocked
from policies.redaction.replacement import PLACEHOLDER
from policies.scanning.budget import Budget, BudgetSpent
from policies.scanning.finder import Finding, Found

_LONGEST_PLACEHOLDER: Final = 160
_PLACEHOLDERS: Final = re.compile(PLACEHOLDER)


def look(rules: FieldRules, text: str, *, start: int = 0, final: bool = True) -> Found:
    """Return what is certain of `text[start:]`. Raises AnswerBlocked for a text that costs too much to look at."""
    decoding = rules.terms.decoding
    budget = Budget(decoding.max_bytes, text_chars=len(text))
    try:
        found = rules.finder.find(
            text, wanted=rules.wanted, budget=budget, depth=decoding.depth, start=start, final=final
        )
    except BudgetSpent:
        raise AnswerBlocked(policy=rules.policies[0], rule="scan-budget", detector="unexamined") from None
    if found.findings and "[" in text:
        return replace(found, findings=tuple(each for each in found.findings if not _is_ours(each, text, rules)))
    return found


def _is_ours(finding: Finding, text: str, rules: FieldRules) -> bool:
    """Whether a finding lies within a placeholder: what stands there was redacted."""
    from_ = max(0, finding.start - _LONGEST_PLACEHOLDER)
    around = text[from_ : finding.end + _LONGEST_PLACEHOLDER]
    for each in _PLACEHOLDERS.finditer(around):
        within = from_ + each.start() <= finding.start and finding.end <= from_ + each.end()
        if within and each[each.lastindex or 0].lower() in rules.names:
            return True
    return False
