# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

from policies.contracts.decision import Decision, Effect, EngineAnswer, Reason, Verdict
from policies.contracts.request import Resource
from proxy_addons.core import tally as tally_module
from proxy_addons.core.exchange import AppliedFinding, Exchange
from proxy_addons.core.tally import Tally
from tests.unit.proxy_addons.harness import NOW, active_policy

STARTED_NS = 10**9
ALLOWED = Decision(effect=Effect.ALLOW, reasons=(), obligations=(), revision="r")


def exchange(**changes):
    given = {"request_id": "req_1", "received_at": NOW, "started_ns": STARTED_NS, "verdict": Verdict.FORWARDED}
    return Exchange(**(given | changes))


def counted(*exchanges, now_ns=STARTED_NS + 2_000_000):
    tally = Tally()
    for one in exchanges:
        tally.count(one, now_ns)
    return {(name, labels): value for name, labels, value in tally.read()}


def test_an_exchange_is_counted_once():
    once = exchange(decision=ALLOWED, bytes_in=5, bytes_out=7)
    found = counted(once, once)
    assert found["gatehouse_requests_total", ("none", "allow", "", "forwarded")] == 1
    assert found["gatehouse_received_bytes_total", ()] == 5
    assert found["gatehouse_sent_bytes_total", ()] == 7


def test_a_refusal_is_counted_by_its_reason_and_an_upstream_failure_also_as_such():
    found = counted(exchange(decision=ALLOWED, refusal=Reason(code="upstream-timeout"), verdict=Verdict.BLOCKED))
    assert found["gatehouse_requests_total", ("none", "error_deny", "upstream-timeout", "blocked")] == 1
    assert found["gatehouse_upstream_failures_total", ("upstream-timeout",)] == 1


@pytest.mark.parametrize(
    ("model", "want"),
    [
        pytest.param("parrot", "parrot", id="a-model-that-a-grant-names"),
        pytest.param("alice@example.com", "other", id="a-word-of-the-client"),
        pytest.param("*", "other", id="the-star-is-no-model"),
    ],
)
def test_a_model_is_named_only_where_policy_names_it(model, want):
    found = counted(exchange(decision=ALLOWED, policy=active_policy(), resource=Resource(type="model", id=model)))
    assert {key: value for key, value in found.items() if key[0] == "gatehouse_model_decisions_total"} == {
        ("gatehouse_model_decisions_total", (want,)): 1
    }


def test_a_guard_that_was_asked_is_timed_and_one_that_was_not_is_counted():
    asked = EngineAnswer(engine="opa", answers=(), duration_us=300)
    engines = (EngineAnswer(engine="casbin", answers=()), asked)
    reused = (engines[0], replace(asked, duration_us=0, reused=True))
    found = counted(
        exchange(decision=replace(ALLOWED, engines=engines)), exchange(decision=replace(ALLOWED, engines=reused))
    )
    assert found["gatehouse_guard_answers_reused_total", ()] == 1
    assert sum(found["gatehouse_stage_seconds", ("guard",)][:-1]) == 1
    assert found["gatehouse_stage_seconds", ("guard",)][-1] == 300_000


def test_findings_are_counted_by_detector():
    finding = AppliedFinding(detector="iban", policy="p", rule="r", action="replace", count=3)
    found = counted(exchange(decision=ALLOWED, findings=(finding, finding)))
    assert found["gatehouse_findings_total", ("iban",)] == 6


def test_a_stream_has_its_first_byte_when_its_admission_is_durable():
    found = counted(exchange(decision=ALLOWED, admitted_ns=STARTED_NS + 500))
    assert found["gatehouse_stage_seconds", ("first_byte",)][-1] == 500
    assert found["gatehouse_stage_seconds", ("total",)][-1] == 2_000_000


def test_series_are_bounded_however_many_reasons_come(monkeypatch):
    monkeypatch.setattr(tally_module, "_MOST_SERIES", 3)
    found = counted(*(exchange(refusal=Reason(code=f"code-{number}"), verdict=Verdict.BLOCKED) for number in range(10)))
    requests = {labels: value for (name, labels), value in found.items() if name == "gatehouse_requests_total"}
    assert len(requests) == 4
    assert requests["other", "deny", "other", "blocked"] == 7
