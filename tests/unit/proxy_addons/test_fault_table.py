# SPDX-License-Identifier: Apache-2.0
"""The fault table: each thing that can fail, in each stage it can fail in. A refusal each time, and the content nowhere."""

import asyncio

import pytest

from policies.contracts.errors import EvaluationFailed
from proxy_addons.addons import enforce_response, enforce_stream
from proxy_addons.addons.enforce_request import EnforceRequest
from proxy_addons.addons.enforce_response import EnforceResponse
from proxy_addons.addons.enforce_stream import EnforceStream
from proxy_addons.addons.identify import Identify
from proxy_addons.addons.record_decision import RecordDecision
from proxy_addons.addons.snapshot_feed import SnapshotFeed
from tests.unit.proxy_addons.harness import (
    SECRET_PROMPT,
    FakeGuard,
    Harness,
    active_policy,
    chat,
    plain_answer,
    ready_harness,
    streamed_answer,
)

SECRET_ANSWER = "the safe opens at noon"


class Broken(RuntimeError):
    """Raised with content in its text, as libraries do."""

    def __init__(self) -> None:
        super().__init__(f"cannot read {SECRET_PROMPT!r}")


def raising(*_args, **_kwargs):
    raise Broken


class RaisingKeyRing:
    epoch = 1
    authenticate = raising


class RaisingAccess:
    evaluate = raising


class RaisingEnforcer(enforce_stream.SseEnforcer):
    feed = raising


def identity_raises(harness: Harness, _patch) -> None:
    harness.feed.use_credentials(RaisingKeyRing())


def access_raises(harness: Harness, _patch) -> None:
    harness.feed.swap(active_policy(serial=9, access=RaisingAccess()))


def guard_raises(harness: Harness, _patch) -> None:
    harness.feed.swap(active_policy(serial=9, guard=FakeGuard(problem=Broken())))


def guard_is_late(harness: Harness, _patch) -> None:
    harness.feed.swap(active_policy(serial=9, guard=FakeGuard(problem=EvaluationFailed("opa", "late"))))


def guard_times_out(harness: Harness, _patch) -> None:
    harness.feed.swap(active_policy(serial=9, guard=FakeGuard(problem=TimeoutError())))


def no_snapshot(harness: Harness, _patch) -> None:
    harness.feed._active = None


def stale_snapshot(harness: Harness, _patch) -> None:
    harness.feed.trust_until(1)


def no_credentials(harness: Harness, _patch) -> None:
    harness.feed._key_ring = None


def spool_is_full(harness: Harness, _patch) -> None:
    harness.sink.full = True


def spool_is_known_to_be_full(harness: Harness, _patch) -> None:
    harness.sink.writable = False


def spool_breaks(harness: Harness, _patch) -> None:
    harness.sink.write = raising


def source_breaks(harness: Harness, _patch) -> None:
    harness.sink.next_source = raising


def detector_raises(_harness: Harness, patch) -> None:
    patch.setattr(enforce_response, "redact_answer", raising)
    patch.setattr(enforce_stream, "SseEnforcer", RaisingEnforcer)


def redaction_is_unknown(_harness: Harness, patch) -> None:
    patch.setattr(enforce_response, "allowed", raising)
    patch.setattr(enforce_stream, "allowed", raising)


def missing(kind: type):
    def leave_out(harness: Harness, _patch) -> None:
        harness.without(kind)

    return leave_out


REQUEST = [
    pytest.param(identity_raises, "policy-unavailable", id="identity-raises"),
    pytest.param(access_raises, "evaluation-failed", id="access-engine-raises"),
    pytest.param(guard_raises, "evaluation-failed", id="guard-engine-raises"),
    pytest.param(guard_is_late, "evaluation-failed", id="guard-engine-late"),
    pytest.param(guard_times_out, "evaluation-failed", id="guard-engine-times-out"),
    pytest.param(no_snapshot, "policy-unavailable", id="no-snapshot"),
    pytest.param(stale_snapshot, "policy-unavailable", id="stale-snapshot"),
    pytest.param(no_credentials, "policy-unavailable", id="no-credentials"),
    pytest.param(spool_is_known_to_be_full, "record-unavailable", id="spool-known-to-be-full"),
    pytest.param(missing(SnapshotFeed), "policy-unavailable", id="snapshot-feed-missing"),
    pytest.param(missing(Identify), "policy-unavailable", id="identify-missing"),
    pytest.param(missing(EnforceRequest), "policy-unavailable", id="enforce-request-missing"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(("breaks", "want"), REQUEST)
async def test_fault_in_the_request_refuses_it_before_the_upstream(breaks, want, stream, monkeypatch, capsys):
    harness = ready_harness()
    breaks(harness, monkeypatch)
    told = await harness.send(chat(stream=stream), upstream=plain_answer(SECRET_ANSWER))
    assert (told.status, told.code) == (503, want)
    assert told.sent_upstream == []
    assert [record["outcome"] for record in harness.sink.envelopes] == ["error_deny"]
    _nothing_leaked(harness, told, capsys)


ANSWER = [
    pytest.param(spool_is_full, "record-unavailable", id="spool-full"),
    pytest.param(spool_breaks, "record-unavailable", id="spool-breaks"),
    pytest.param(source_breaks, "record-unavailable", id="spool-source-breaks"),
    pytest.param(missing(RecordDecision), "record-unavailable", id="record-decision-missing"),
    pytest.param(detector_raises, "policy-unavailable", id="detector-raises"),
    pytest.param(redaction_is_unknown, "policy-unavailable", id="redaction-unknown"),
    pytest.param(missing(EnforceResponse), "policy-unavailable", id="enforce-response-missing"),
]


@pytest.mark.parametrize(("breaks", "want"), ANSWER)
async def test_fault_in_the_response_withholds_it(breaks, want, monkeypatch, capsys):
    harness = ready_harness()
    breaks(harness, monkeypatch)
    told = await harness.send(chat(), upstream=plain_answer(SECRET_ANSWER))
    assert (told.status, told.code) == (503, want)
    assert len(harness.sink.records) == (0 if want == "record-unavailable" else 1)
    _nothing_leaked(harness, told, capsys)


STREAM = [
    pytest.param(spool_is_full, "record-unavailable", id="spool-full"),
    pytest.param(spool_breaks, "policy-unavailable", id="spool-breaks"),
    pytest.param(missing(RecordDecision), "record-unavailable", id="record-decision-missing"),
    pytest.param(detector_raises, "evaluation-failed", id="stream-callable-raises"),
    pytest.param(redaction_is_unknown, "policy-unavailable", id="redaction-unknown"),
    pytest.param(missing(EnforceStream), "upstream-invalid", id="enforce-stream-missing"),
]


@pytest.mark.parametrize(("breaks", "want"), STREAM)
async def test_fault_in_the_stream_ends_it(breaks, want, monkeypatch, capsys):
    harness = ready_harness()
    breaks(harness, monkeypatch)
    told = await harness.send(chat(stream=True), upstream=streamed_answer(SECRET_ANSWER))
    assert told.code in {want, "record-unavailable"}
    assert b"[DONE]" not in told.body
    _nothing_leaked(harness, told, capsys)


async def test_spool_that_fills_in_a_stream_cuts_it(capsys):
    harness = ready_harness()

    class FullAfterAdmission(type(harness.sink)):
        async def write(self, record, *, admitted):
            self.full = bool(self.records)
            await super().write(record, admitted=admitted)

    harness.sink.__class__ = FullAfterAdmission
    told = await harness.send(chat(stream=True), upstream=streamed_answer("hello"))
    assert told.code == "record-unavailable"
    assert b"[DONE]" not in told.body
    assert [record["kind"] for record in harness.sink.envelopes] == ["admission"]


async def test_hook_that_is_cancelled_refuses_before_it_ends():
    harness = ready_harness(guard=FakeGuard(problem=asyncio.CancelledError()))
    flows = []
    original = harness.hook

    async def remember(name, flow):
        flows.append(flow)
        await original(name, flow)

    harness.hook = remember
    with pytest.raises(asyncio.CancelledError):
        await harness.send(chat())
    assert flows[-1].response.status_code == 503


async def test_flow_without_an_exchange_is_refused():
    from mitmproxy.test import tflow

    harness, flow = ready_harness(), tflow.tflow()
    await harness.hook("requestheaders", flow)
    assert flow.response.status_code == 503


async def test_healthy_chain_lets_the_same_request_through():
    told = await ready_harness().send(chat(), upstream=plain_answer(SECRET_ANSWER))
    assert (told.status, SECRET_ANSWER.encode() in told.body) == (200, True)
    told = await ready_harness().send(chat(stream=True), upstream=streamed_answer(SECRET_ANSWER))
    assert told.status == 200
    assert b"[DONE]" in told.body


def _nothing_leaked(harness: Harness, told, capsys) -> None:
    logged = capsys.readouterr()
    everything = [told.body, *(record.envelope + record.payload for record in harness.sink.records)]
    everything += [logged.out.encode(), logged.err.encode()]
    for place in everything:
        assert SECRET_ANSWER.encode() not in place
        assert SECRET_PROMPT.encode() not in place
