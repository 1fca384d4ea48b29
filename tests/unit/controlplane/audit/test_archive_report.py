# SPDX-License-Identifier: Apache-2.0
"""What a report comes to."""

import json

import pytest

from controlplane.audit.archive_reading import Manifest
from controlplane.audit.archive_report import PROBLEMS_NAMED, ArchiveReport, Problems
from controlplane.audit.completeness import CompletenessReport

MANIFEST = Manifest(origin="o", tenant="t", first=0, end=1, size=1, digests={})


def report(*, broken=0, short=0, unreadable=0, unjudged=""):
    told = CompletenessReport(boots=(), unreadable=unreadable, dropped=0, unrecorded_drops=0, unjudged=unjudged)
    made = ArchiveReport(manifest=MANIFEST, trust="given", completeness=told)
    for _ in range(broken):
        made.integrity.add("altered", 7)
    for _ in range(short):
        made.incomplete.add("ends early")
    return made


@pytest.mark.parametrize(
    ("given", "integrity", "completeness", "code"),
    [
        ({}, "holds", "holds", 0),
        ({"broken": 1}, "violated", "holds", 1),
        ({"short": 1}, "holds", "violated", 1),
        ({"unreadable": 1}, "holds", "violated", 1),
        ({"unjudged": "too many"}, "holds", "unjudged", 2),
        ({"unjudged": "too many", "broken": 1}, "violated", "unjudged", 1),
        ({"unjudged": "too many", "short": 1}, "holds", "violated", 1),
    ],
)
def test_the_two_verdicts_are_separate(given, integrity, completeness, code):
    told = json.loads(json.dumps(report(**given).to_json()))
    verdicts = told["integrity"]["verdict"], told["completeness"]["verdict"], report(**given).exit_code
    assert verdicts == (integrity, completeness, code)


def test_all_problems_are_counted_and_the_first_kept():
    problems = Problems()
    for index in range(100):
        problems.add("altered", index)
    assert (problems.count, [each.index for each in problems.first]) == (100, list(range(PROBLEMS_NAMED)))
