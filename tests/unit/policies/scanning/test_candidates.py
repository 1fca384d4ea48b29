# SPDX-License-Identifier: Apache-2.0
from policies.detectors.contract import Detector, Pattern
from policies.scanning.budget import Budget
from policies.scanning.candidates import Candidates
from policies.scanning.copy import ScanCopy
from policies.scanning.scanner import Scanner
from policies.scanning.table import PatternTable


def detector(name: str, expression: str, taken: list[str] | None = None) -> Detector:
    def judge(candidate):
        if taken is not None:
            taken.append(candidate.value)
        return 1.0 if "x" not in candidate.value else None

    patterns = (Pattern(expression=expression),)
    return Detector(name=name, kind=name, group="", patterns=patterns, judge=judge, finds=(), ignores=())


def judged(text: str, *detectors: Detector, start: int = 0) -> list[tuple[int, str]]:
    table = PatternTable(detectors)
    scanner = Scanner(table.compiled())
    candidates = Candidates(table, scanner, [True] * len(detectors), Budget(), start)
    copy = ScanCopy.of(text)
    found = candidates.judged(copy, scanner.ends(copy.data))
    return [(each.finding.detector, text[each.finding.start : each.finding.end]) for each in found]


def test_of_matches_within_each_other_the_longest_is_taken():
    assert judged("aa-bb-cc", detector("d", "[a-z]{2}(?:-[a-z]{2})*")) == [(0, "aa-bb-cc")]


def test_where_the_longest_is_none_those_within_it_are_asked():
    asked: list[str] = []
    assert judged("aa-bb-xx", detector("d", "[a-z]{2}(?:-[a-z]{2})+", asked)) == [(0, "aa-bb")]
    assert asked == ["aa-bb-xx", "bb-xx", "aa-bb"]


def test_each_detector_is_asked_whatever_others_find():
    assert sorted(judged("aa-bb", detector("d", "[a-z]{2}-[a-z]{2}"), detector("e", "[a-b]{2}"))) == [
        (0, "aa-bb"),
        (1, "aa"),
        (1, "bb"),
    ]


def test_what_begins_in_what_was_decided_is_passed_over():
    assert judged("aa bb", detector("d", "[a-z]{2}"), start=1) == [(0, "bb")]
