# SPDX-License-Identifier: Apache-2.0
"""Findings of nodes' checks, on every database."""

from dataclasses import replace
from datetime import timedelta

from controlplane.services.posture import CheckResult, Finding, FindingFilter, PostureResult
from tests.records import NOON

T = "default"
WHERE = (T, "production", "edge-1")
FINDING = Finding(
    tenant=T,
    environment="production",
    id="fnd_1",
    node="edge-1",
    check="tls",
    detail="certificate-expired",
    opened_at=NOON,
)


def test_results_are_replaced_as_a_whole(store):
    first = PostureResult(check="tls", result=CheckResult.FAILED, detail="certificate-expired", at=NOON)
    second = PostureResult(check="canaries", result=CheckResult.PASSED, detail="as-expected", at=NOON)
    for results in ((first, second), (second,)):
        with store.write() as session:
            session.posture.put_results(*WHERE, results)
    with store.read() as session:
        assert session.posture.results(*WHERE) == (second,)
        assert session.posture.results(T, "production", "edge-2") == ()


def test_findings_open_close_and_stay(store):
    others = [replace(FINDING, id=f"fnd_{number}", node=f"edge-{number}") for number in (2, 3)]
    closed_at = NOON + timedelta(minutes=5)
    with store.write() as session:
        for finding in (FINDING, *others):
            session.posture.add(finding)
        session.posture.close(FINDING, at=closed_at)
    with store.read() as session:
        assert session.posture.of_node(*WHERE) == ()
        assert session.posture.of_node(T, "production", "edge-2") == (others[0],)
        assert session.posture.open() == tuple(others)
        closed = session.posture.page(T, FindingFilter(is_open=False), after=None, limit=5)
        assert closed.items == (replace(FINDING, closed_at=closed_at),)
        first = session.posture.page(T, FindingFilter(), after=None, limit=2)
        assert (len(first.items), first.next_key) == (2, "fnd_2")
        rest = session.posture.page(T, FindingFilter(check="tls"), after=first.next_key, limit=2)
        assert (rest.items, rest.next_key) == ((others[1],), None)
        assert session.posture.page("other", FindingFilter(), after=None, limit=5).items == ()
