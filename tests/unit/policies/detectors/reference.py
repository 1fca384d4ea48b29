# SPDX-License-Identifier: Apache-2.0
"""What a detector finds in a short text, by the plainest reading of its contract: every start, every end."""

import re
from functools import cache

from policies.detectors.contract import BEFORE, Candidate, Detector, Pattern
from policies.scanning.fold import folded

_LONGEST = 512


@cache
def _compiled(pattern: Pattern) -> tuple[re.Pattern[bytes], frozenset[int], frozenset[int]]:
    flags = re.IGNORECASE | re.DOTALL if pattern.ignore_case else re.DOTALL
    before = pattern.alone if pattern.alone_before is None else pattern.alone_before
    return re.compile(pattern.expression.encode("latin-1"), flags), _class(before), _class(pattern.alone)


def _class(inside: str) -> frozenset[int]:
    return frozenset(byte for byte in range(128) if inside and re.match(f"[{inside}]", chr(byte)))


def candidates(detector: Detector, text: str, *, lenient: bool = False):
    """Yield `(start, end, score)` in bytes of the text for each start and end that the judge accepts."""
    data = text.encode()
    for pattern in detector.patterns:
        expression, before_it, behind_it = _compiled(pattern)
        for start in range(len(data)):
            if (start and data[start - 1] in before_it) or not expression.match(data, start):
                continue
            for end in range(start + 1, min(start + _LONGEST, len(data)) + 1):
                if end < len(data) and data[end] in behind_it:
                    continue
                if not (match := expression.fullmatch(data, start, end)):
                    continue
                first, last = match.span("value" if "value" in expression.groupindex else 0)
                before = data[:first].decode(errors="ignore")[-BEFORE:]
                value = data[first:last].decode(errors="replace")
                if score := detector.judge(Candidate(value=value, before=before, lenient=lenient)):
                    yield first, last, score


def findings(detector: Detector, text: str, *, lenient: bool = False) -> list[str]:
    """Return the findings of a detector in the folded text, those that overlap united."""
    text = folded(text)
    united: list[tuple[int, int]] = []
    for start, end, _ in sorted(candidates(detector, text, lenient=lenient)):
        if united and start < united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return [text.encode()[start:end].decode(errors="replace") for start, end in united]
