# SPDX-License-Identifier: Apache-2.0
"""Every detector of secrets by its samples, and all of them by what the contract asks of a detector."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.detectors.contract import BEFORE, SECRET, Candidate, Detector, Pattern
from policies.detectors.secrets import SECRETS
from policies.scanning.databases import Databases, tree_of
from policies.scanning.scanner import Scanner
from policies.scanning.tree import Node, Sequence, has_value, widths
from tests.texts import TEXTS
from tests.unit.policies.detectors.reference import findings

NAMES = [detector.name for detector in SECRETS]


@pytest.mark.parametrize("detector", SECRETS, ids=NAMES)
def test_finds_its_samples_once(detector: Detector):
    # A finding that lasts until something has passed hides others in it: what knows of that is the finder.
    lasts = any(pattern.until for pattern in detector.patterns)
    found = {text: len(findings(detector, text)) for text in detector.finds}
    assert [text for text, count in found.items() if count != 1 and not (lasts and count)] == []


@pytest.mark.parametrize("detector", SECRETS, ids=NAMES)
def test_ignores_its_look_alikes(detector: Detector):
    assert [text for text in detector.ignores if findings(detector, text)] == []


@pytest.mark.parametrize("detector", SECRETS, ids=NAMES)
def test_has_three_samples_of_each_kind_at_least(detector: Detector):
    assert len(detector.finds) >= 3
    assert len(detector.ignores) >= 3


@pytest.mark.parametrize("detector", SECRETS, ids=NAMES)
def test_is_named_as_secrets_are(detector: Detector):
    assert detector.kind == SECRET + detector.name
    assert detector.group.startswith("secrets-")


def test_no_two_have_one_name():
    assert [name for name, count in Counter(NAMES).items() if count > 1] == []


@given(value=st.one_of(TEXTS, st.text()), before=st.one_of(TEXTS, st.text()), lenient=st.booleans())
def test_a_judge_never_raises_and_scores_within_its_bounds(value: str, before: str, lenient: bool):  # noqa: FBT001  # drawn
    candidate = Candidate(value=value, before=before[-BEFORE:], lenient=lenient)
    scores = [detector.judge(candidate) for detector in SECRETS]
    assert all(score is None or 0 < score <= 1 for score in scores)


@pytest.mark.parametrize(
    "pattern", [pytest.param(each, id=detector.name) for detector in SECRETS for each in detector.patterns]
)
def test_what_stands_before_a_value_is_seen_by_its_judge(pattern: Pattern):
    name = _before_value(tree_of(pattern))
    assert name is not None
    assert name <= BEFORE


def _before_value(node: Node) -> int | None:
    """Return how many bytes a match has before its value at most; None where there is no limit."""
    if not isinstance(node, Sequence) or not has_value(node):
        return 0
    most = 0
    for part in node.parts:
        if has_value(part):
            break
        high = widths(part)[1]
        if high is None:
            return None
        most += high
    return most


SCANNER = Scanner(Databases.of([pattern for detector in SECRETS for pattern in detector.patterns]))


@pytest.mark.parametrize(
    "unit",
    [
        "key=",
        "key:aaaaaaaa=",
        "-sk-" + "proj-",
        "-eyJhbGci",
        "password=",
        "authorization=",
        "://a:",
        " -u a:",
        "IQoJb3Jp/",
    ],
)
def test_not_everything_in_a_long_row_begins_a_candidate(unit: str):
    data = (unit * 400).encode()
    by_end: dict[int, set[int]] = {}
    for number, end in SCANNER.ends(data):
        by_end.setdefault(end, set()).add(number)
    most = max((len(SCANNER.starts(data, end, numbers)) for end, numbers in by_end.items()), default=0)
    assert most <= 16
