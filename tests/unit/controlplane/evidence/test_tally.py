# SPDX-License-Identifier: Apache-2.0
"""What entries come to, and that no entry stops the count."""

import json

import pytest

from controlplane.evidence import tally as tallies
from controlplane.evidence.tally import OTHERS, Tally
from tests.exported import every_kind_of_row, make_row


def counted(*envelopes, environment="production"):
    tally = Tally(environment=environment, from_first=True, to_last=True)
    for index, envelope in enumerate(envelopes):
        content = envelope if isinstance(envelope, bytes | None) else json.dumps(envelope).encode()
        tally.add(index, content, has_payload=index == 0)
    return tally


def test_requests_are_counted_when_they_end():
    tally = counted(*(row.envelope for row in every_kind_of_row()))
    assert dict(tally.outcomes) == {"allow": 4, "deny": 2, "error_deny": 1}
    assert dict(tally.verdicts) == {"forwarded": 2, "redacted": 1, "cut": 1, "blocked": 3}
    assert (dict(tally.reasons), dict(tally.failures)) == (
        {"access-denied": 1, "key-unknown": 1},
        {"policy-unavailable": 1},
    )
    assert (dict(tally.detectors), dict(tally.models), tally.would_have) == ({"iban": 2}, {"parrot": 6}, 1)
    [(day, of_day)] = tally.days.items()
    assert (day, of_day.requests, of_day.denied, of_day.failed, of_day.redacted, of_day.cut) == (
        "2026-11-20",
        7,
        2,
        1,
        1,
        1,
    )
    assert (tally.entries, tally.payloads, tally.kinds["admission"]) == (8, 1, 1)
    [revision] = tally.revisions.values()
    assert (revision.requests, revision.first_at) == (7, revision.last_at)


def test_requests_of_another_environment_are_not_counted():
    assert not counted(make_row().envelope, environment="staging").outcomes


def test_what_is_missing_is_told():
    gap = {"schema": "gatehouse.gap/1", "kind": "gap", "time": "2026-11-20T12:00:00Z", "source": None, "gap": {"n": 3}}
    tally = counted(make_row().envelope, None, gap)
    assert (tally.dropped, tally.gaps[0]["log_index"], tally.gaps[0]["told"]) == (1, 2, {"n": 3})
    assert tally.completeness().unrecorded_drops == 1


@pytest.mark.parametrize(
    "envelope",
    [
        {},
        [],
        3,
        {"kind": 3, "environment": "production"},
        {"kind": "terminal", "environment": "production"},
        {"kind": "terminal", "environment": "production", "findings": [1, {"count": "x"}], "reasons": {}, "time": 4},
        {"kind": "gap", "gap": "all"},
    ],
    ids=str,
)
def test_an_entry_of_any_shape_stops_nothing(envelope):
    tally = counted(envelope, make_row().envelope)
    assert (tally.entries, tally.outcomes["allow"]) == (2, 1)


def test_names_are_told_apart_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(tallies, "MOST_NAMES", 3)
    rows = [
        make_row(number, model=f"m{number}", time=f"2026-11-{number + 1:02}T00:00:00Z", revision=f"r{number}").envelope
        for number in range(6)
    ]
    tally = counted(*rows)
    assert dict(tally.models) == {"m0": 1, "m1": 1, "m2": 1, OTHERS: 3}
    assert (tally.days[OTHERS].requests, tally.revisions[OTHERS].requests) == (3, 3)
    assert max(map(len, counted(make_row(model="x" * 5000).envelope).models)) == 200
