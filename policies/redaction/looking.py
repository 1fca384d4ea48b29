# SPDX-License-Identifier: Apache-2.0
"""Looks for what the rules want, within what a text may cost, and passes over what redaction wrote itself."""

import re
from dataclasses import replace
from typing import Final

from policies.contracts.snapshot import OverBudget
from policies.redaction.field_rules import FieldRules
from policies.redaction.findings import AnswerBlocked, Tally
from policies.redaction.replacement import PLACEHOLDER
from policies.scanning.budget import Budget, BudgetSpent
from policies.scanning.finder import Finding, Found

_LONGEST_PLACEHOLDER: Final = 160
_PLACEHOLDERS: Final = re.compile(PLACEHOLDER)
# What stands for a rule where a bound is reached: what no rule of an author can be called.
DECODING_BOUND: Final = "decoding.max_bytes"
JUDGING_BOUND: Final = "scan.candidates"
UNEXAMINED: Final = "unexamined"
OVER_BUDGET: Final = "over-budget"


def look(rules: FieldRules, text: str, tally: Tally, *, path: str = "", start: int = 0, final: bool = True) -> Found:
    """Return what is certain of `text[start:]`. `tally` has what may still be judged; `path` is where the text stands.

    Raises AnswerBlocked for a text that costs too much to look at. With `over_budget: annotate` one of which too much
    is encoded passes, and the tally says so. One in which too much would have to be judged does not: that is plain
    text, and whoever may write enough of it could hide anything behind it.
    """
    terms = rules.terms
    budget = Budget(terms.decoding.max_bytes, tally.judging)
    try:
        found = rules.finder.find(
            text, wanted=rules.wanted, budget=budget, depth=terms.decoding.depth, start=start, final=final
        )
    except BudgetSpent:
        if rules.enforces:
            raise AnswerBlocked(policy=terms.decoding_by, rule=JUDGING_BOUND, detector=UNEXAMINED) from None
        tally.not_scanned(path, OVER_BUDGET)
        return Found(findings=(), decided=len(text))
    if found.undecoded:
        if rules.enforces and terms.decoding.over_budget is not OverBudget.ANNOTATE:
            raise AnswerBlocked(policy=terms.decoding_by, rule=DECODING_BOUND, detector=UNEXAMINED)
        tally.not_scanned(path, OVER_BUDGET)
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
