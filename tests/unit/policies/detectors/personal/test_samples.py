# SPDX-License-Identifier: Apache-2.0
"""Every detector of personal data finds its `finds` and ignores its `ignores`, and its judge never raises."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.detectors.contract import BEFORE, Candidate, Detector
from policies.detectors.personal import ON_REQUEST, PERSONAL
from policies.scanning.expression import parse
from tests.unit.policies.detectors.reference import findings

EVERY = (*PERSONAL, *ON_REQUEST)
EACH = pytest.mark.parametrize("detector", EVERY, ids=lambda detector: detector.name)


@EACH
def test_finds_its_samples(detector: Detector):
    assert [text for text in detector.finds if len(findings(detector, text)) != 1] == []


@EACH
def test_ignores_its_look_alikes(detector: Detector):
    assert [text for text in detector.ignores if findings(detector, text)] == []


@EACH
def test_has_at_least_three_samples_of_each_kind(detector: Detector):
    assert len(detector.finds) >= 3
    assert len(detector.ignores) >= 3


def test_each_has_a_name_of_its_own():
    assert len({detector.name for detector in EVERY}) == len(EVERY)


@EACH
@pytest.mark.parametrize(
    "written",
    [
        "[redacted:{name}]",
        "[redacted:{name}:2]",
        "[{name}:bpamjkchne]",
        "[{name}:bcdefghija]",
        "************1111",
        "*****************432100",
    ],
)
def test_takes_nothing_that_redaction_writes(detector: Detector, written: str):
    own = written.format(name=detector.name)
    assert findings(detector, f"{detector.name.replace('-', ' ')}: {own}", lenient=True) == []


@EACH
def test_its_patterns_are_of_what_scanning_takes(detector: Detector):
    assert all(parse(pattern.expression, ignore_case=pattern.ignore_case) for pattern in detector.patterns)


@EACH
@given(data=st.data(), before=st.text(max_size=BEFORE), lenient=st.booleans())
def test_its_judge_never_raises(detector: Detector, data, before, lenient):
    expression = data.draw(st.sampled_from([pattern.expression for pattern in detector.patterns]))
    value = data.draw(st.from_regex(re.compile(expression.encode("latin-1")), fullmatch=True)).decode(errors="replace")
    score = detector.judge(Candidate(value=value, before=before, lenient=lenient))
    assert score is None or 0 < score <= 1
