# SPDX-License-Identifier: Apache-2.0
"""One table says what happened, and the reference shows it."""

import re
from pathlib import Path

import pytest

from controlplane.exports.outcomes import (
    ACTIONS,
    DISPOSITIONS,
    OTHERWISE,
    SEVERITIES,
    STATUSES,
    TOLD,
    UNAUTHORIZED,
    WOULD_HAVE_DENIED,
    told,
)
from policies.contracts.record import RecordOutcome
from tests.exported import make_row

PAGE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "exports.md"
REFUSED = {"method": "POST", "route": None, "status": 401, "bytes_in": 9, "bytes_out": 0, "stream": False}


def line(what, outcome, verdict):
    return (
        f"| {outcome} | {verdict} | {what.action} {ACTIONS[what.action]} | {what.disposition} "
        f"{DISPOSITIONS[what.disposition]} | {STATUSES[what.status]} | {SEVERITIES[what.severity]} | {what.ecs_outcome} |"
    )


def test_the_reference_shows_the_table():
    section = re.search(r"^## Outcomes\n(.*?)^## ", PAGE.read_text(), re.DOTALL | re.MULTILINE)[1]
    want = [
        line(what, f"`{outcome}`", f"`{verdict}`" if verdict else "none yet")
        for (outcome, verdict), what in TOLD.items()
    ]
    want.append(line(WOULD_HAVE_DENIED, "`allow`, `would_have` is `deny`", "`forwarded`"))
    want.append(line(UNAUTHORIZED, "refused with 401", "any"))
    want.append(line(OTHERWISE, "anything else", "any"))
    assert [shown for shown in section.splitlines() if re.match(r"\| (`|refused|anything)", shown)] == want


@pytest.mark.parametrize(
    ("members", "want"),
    [
        pytest.param({}, TOLD["allow", "forwarded"], id="allowed"),
        pytest.param({"verdict": "redacted"}, TOLD["allow", "redacted"], id="redacted"),
        pytest.param({"verdict": "redacted", "would_have": "deny"}, TOLD["allow", "redacted"], id="redacted and more"),
        pytest.param({"would_have": "deny"}, WOULD_HAVE_DENIED, id="would have been denied"),
        pytest.param({"would_have": "allow", "outcome": "deny"}, TOLD["deny", "blocked"], id="would have been allowed"),
        pytest.param({"outcome": "deny", "http": REFUSED}, UNAUTHORIZED, id="nobody identified"),
        pytest.param({"http": REFUSED}, TOLD["allow", "forwarded"], id="the model server's own 401"),
        pytest.param({"outcome": "deny", "verdict": "forwarded"}, OTHERWISE, id="a contradiction"),
        pytest.param({"kind": "admission"}, TOLD["allow", None], id="not ended"),
    ],
)
def test_told(members, want):
    assert told(make_row(**members)) == want


def test_nothing_but_an_allowed_request_is_told_as_allowed():
    allowed = {key for key, what in TOLD.items() if what.action == 1}
    assert {outcome for outcome, _ in allowed} == {RecordOutcome.ALLOW.value}
    assert 1 not in {OTHERWISE.action, UNAUTHORIZED.action, WOULD_HAVE_DENIED.action}
