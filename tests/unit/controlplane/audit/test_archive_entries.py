# SPDX-License-Identifier: Apache-2.0
"""Entries in one pass: order, hashes, roots on the way."""

import json

import pytest

from controlplane.audit import archive_entries
from controlplane.audit.archive import entry_line
from controlplane.audit.archive_entries import EntriesPass, TooManyProblems
from controlplane.audit.archive_report import Problems
from controlplane.audit.completeness import Completeness
from controlplane.audit.frontier import Frontier
from tests.unit.controlplane.audit.archives import ORDERLY, Log

LOG = Log(ORDERLY)


def passed(lines, *, first=0, end=30, wanted=()):
    problems = Problems()
    start = Frontier().append(LOG.leaves[:first])
    reading = EntriesPass(
        first=first,
        end=end,
        start=start,
        wanted=wanted,
        problems=problems,
        completeness=Completeness(from_first=True, to_last=True),
    )
    for line in lines:
        reading.take(line)
    return reading, reading.finish(), [(problem.index, problem.text) for problem in problems.first]


def lines(first=0, end=30, **given):
    return [entry_line(entry) for entry in LOG.entries(first, end, **given)]


@pytest.mark.parametrize(("first", "end"), [(0, 30), (7, 19), (0, 0), (30, 30)])
def test_the_tree_grows_by_the_entries(monkeypatch, first, end):
    monkeypatch.setattr(archive_entries, "_HASHES_AT_ONCE", 5)
    wanted = [0, 1, 6, 7, 13, 19, 30]
    reading, frontier, problems = passed(lines(first, end), first=first, end=end, wanted=wanted)
    assert (frontier, problems, reading.count) == (Frontier().append(LOG.leaves[:end]), [], end - first)
    sizes = [size for size in wanted if first <= size <= end]
    assert reading.roots == {size: Frontier().append(LOG.leaves[:size]).root() for size in sizes}


def test_a_dropped_entry_grows_it_by_its_hash():
    reading, frontier, problems = passed(lines(without=(3, 4)))
    assert (frontier.root(), problems, reading.dropped) == (Frontier().append(LOG.leaves).root(), [], 2)


ALL = lines()


@pytest.mark.parametrize(
    ("given", "where"),
    [
        pytest.param([*ALL[:5], *ALL[6:]], [6], id="one-is-missing"),
        pytest.param([*ALL[:5], *ALL[9:]], [9], id="four-are-missing"),
        pytest.param(ALL[:-1], [29], id="the-tail-is-missing"),
        pytest.param([], [0], id="all-are-missing"),
        pytest.param([*ALL[:5], ALL[4], *ALL[5:]], [4], id="one-comes-twice"),
        pytest.param([*ALL[:5], ALL[6], ALL[5], *ALL[7:]], [6, 5], id="two-are-exchanged"),
        pytest.param([*ALL, ALL[3].replace(b'"index":3,', b'"index":30,')], [30], id="one-too-many"),
        pytest.param([*ALL[:29], ALL[29].replace(b'"index":29,', b'"index":9223372036854775807,')], [2**63 - 1, 29], id="a-huge-index"),
        pytest.param([*ALL[:5], b"{}", *ALL[6:]], [5, 6], id="one-is-unreadable"),
    ],
)  # fmt: skip
def test_what_is_not_in_its_place_is_named(given, where):
    _, frontier, problems = passed(given)
    assert ([index for index, _ in problems], frontier) == (where, None)


def test_an_altered_entry_is_named_and_the_tree_is_that_of_the_stated_hashes():
    altered = [*ALL[:5], ALL[5].replace(b"req_6", b"req_7"), *ALL[6:]]
    reading, frontier, problems = passed(altered)
    assert [index for index, _ in problems] == [5]
    assert (reading.altered, frontier.root()) == (1, Frontier().append(LOG.leaves).root())


def test_a_payload_is_the_one_that_its_envelope_names():
    import hashlib

    payload = "{}"
    named = json.dumps({"payload_digest": "sha256:" + hashlib.sha256(payload.encode()).hexdigest()})
    for envelope, wrong in [(named, 0), ("{}", 1), ("[]", 1), ("no JSON", 1), ('{"payload_digest":null}', 1)]:
        line = json.dumps({"index": 0, "envelope": envelope, "payload": payload}).encode()
        _, _, problems = passed([line], end=1)
        assert len(problems) == wrong


def test_reading_ends_where_problems_do_not(monkeypatch):
    monkeypatch.setattr(archive_entries, "MAX_PROBLEMS", 7)
    with pytest.raises(TooManyProblems):
        passed([b"{}"] * 8)
