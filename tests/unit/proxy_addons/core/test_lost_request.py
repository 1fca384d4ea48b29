# SPDX-License-Identifier: Apache-2.0
import json
from datetime import timedelta

import pytest

from controlplane.services.record_lines import read_line
from policies.contracts.decision import Effect
from policies.contracts.record import RecordKind, Source
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from proxy_addons.core.exchange import Credential, Exchange
from proxy_addons.core.lost_request import LostRequest, Noting
from tests.unit.proxy_addons.core.test_record_builder import SCOPE, decision, envelope, exchange
from tests.unit.proxy_addons.harness import NOW, active_policy

REQUEST_ID = "req_01JD0000000000000000000000"
SOURCE = Source(id="node-1/w0", boot_id="c", seq=4)


def asked() -> Exchange:
    policy = active_policy(serial=9)
    made = exchange(
        request_id=REQUEST_ID,
        credential=Credential(key_id="01J", subject=Subject(type="user", id="alice")),
        policy=policy,
        route=policy.routes["POST", "/v1/chat/completions"],
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        resource=Resource(type="model", id='p"ä'),
        decision=decision(Effect.ALLOW),
    )
    made.evaluation = EvaluationRequest(
        request_id=REQUEST_ID,
        tenant="default",
        environment="production",
        subject=made.credential.subject,
        action="chat.completions",
        resource=made.resource,
        facts=RequestFacts(stream=True),
        at=NOW,
    )
    return made


def lost(made: Exchange, *, parts: int = 3, admitted: bool = False) -> LostRequest:
    noting = Noting(SCOPE)
    noted = [noting.begun(made, "POST"), noting.asked(made), noting.decided(made)]
    begun, who, by = [part if number < parts else b"" for number, part in enumerate(noted)]
    return LostRequest.noted(begun, who, by, admitted=admitted)


def record_of(found: LostRequest) -> dict:
    at = NOW + timedelta(seconds=2)
    record = found.record(scope=SCOPE, source=SOURCE, record_id="01R", salt="5a" * 16, at=at)
    assert read_line(record.to_line(), tenant="default").request_id == REQUEST_ID  # the control plane takes it
    return json.loads(record.envelope)


def test_a_lost_request_has_a_record_of_the_members_that_any_has():
    assert record_of(lost(asked())).keys() == envelope(asked()).keys()


def test_it_says_all_that_was_noted_and_that_the_worker_was_lost():
    got, whole = record_of(lost(asked())), envelope(asked())
    same = ("request_id", "trace_id", "subject", "action", "resource", "revision", "serial", "tenant", "environment")
    assert {name: got[name] for name in same} == {name: whole[name] for name in same}
    assert (got["kind"], got["outcome"], got["verdict"]) == ("terminal", "error_deny", "blocked")
    assert got["reasons"] == [{"code": "worker-lost", "policy": "", "rule": ""}]
    assert got["http"] == {
        "method": "POST", "route": "chat", "status": None, "bytes_in": 0, "bytes_out": 0, "stream": True
    }  # fmt: skip
    assert got["latency_us"]["total"] == 2_000_000
    assert got["source"] == {"id": "node-1/w0", "boot_id": "c", "seq": 4}


@pytest.mark.parametrize(
    ("parts", "known"), [(1, {"subject": False, "revision": False}), (2, {"subject": True, "revision": False})]
)
def test_what_was_not_noted_yet_is_null(parts, known):
    got = record_of(lost(asked(), parts=parts))
    assert {name: got[name] is not None for name in known} == known


def test_where_bytes_may_have_left_it_was_cut():
    assert record_of(lost(asked(), admitted=True))["verdict"] == "cut"


def test_where_there_is_an_admission_record_its_facts_are_kept():
    made = asked()
    admission = envelope(made, RecordKind.ADMISSION)
    got = record_of(LostRequest.of_admission(admission))
    assert got["engines"] == admission["engines"]
    assert (got["kind"], got["verdict"], got["record_id"]) == ("terminal", "cut", "01R")
    assert got["payload_digest"] != admission["payload_digest"]


def test_an_admission_that_fills_its_envelope_leaves_room_for_how_it_ended():
    made = asked()
    admission = envelope(made, RecordKind.ADMISSION)
    admission["remarks"] = [{"span_hash": "", "length": 1, "path": "x" * 100}] * 90
    got = record_of(LostRequest.of_admission(admission))
    assert (got["remarks"], got["subject"]) == ([], admission["subject"])
    admission["remarks"] = admission["remarks"][:1]
    assert record_of(LostRequest.of_admission(admission))["remarks"] == admission["remarks"]


def test_a_method_that_is_none_and_an_empty_head_are_noted_too():
    found = LostRequest.noted(Noting(SCOPE).begun(exchange(request_id=REQUEST_ID), ""), b"", b"", admitted=False)
    assert (record_of(found)["http"]["method"], found.begun_at) == (None, NOW)


@pytest.mark.parametrize("begun", [b"", b"req", b"req x POST", b"\xff 1 POST"])
def test_what_is_no_note_is_refused(begun):
    with pytest.raises(ValueError, match=r"."):
        LostRequest.noted(begun, b"", b"", admitted=False)
