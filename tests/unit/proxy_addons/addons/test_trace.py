# SPDX-License-Identifier: Apache-2.0
"""One span for each exchange; what goes wrong with it never touches the exchange."""

import pytest
import structlog

from proxy_addons.addons.trace import Trace
from tests.unit.proxy_addons.harness import (
    Harness,
    active_policy,
    chat,
    head,
    key_ring,
    plain_answer,
    streamed_answer,
)

PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class FakeSpan:
    trace_id, span_id = "a" * 32, "b" * 16

    def __init__(self, name, parent, started_ns, *, fails):
        self.name, self.parent, self.started_ns, self.fails = name, parent, started_ns, fails
        self.ended = []

    def end(self, attributes, *, now_ns, failed):
        if self.fails:
            raise RuntimeError("no span today")
        self.ended.append((attributes, now_ns, failed))


class Spans:
    """Begins spans that a test looks at."""

    def __init__(self, *, sampled: bool = True, fails_at: str = "") -> None:
        self.sampled, self.fails_at = sampled, fails_at
        self.begun: list[FakeSpan] = []

    def begin(self, name, parent, started_ns):
        if self.fails_at == "begin":
            raise RuntimeError("no span today")
        if not self.sampled:
            return None
        self.begun.append(FakeSpan(name, parent, started_ns, fails=self.fails_at == "end"))
        return self.begun[-1]

    def harness(self, **policy) -> Harness:
        trace = Trace(self.begin, scheme="http", monotonic_ns=lambda: 9_000_000)
        return Harness(policy=active_policy(**policy), keys=key_ring(), trace=trace)


def sent_upstream(told):
    return dict(told.flow.request.data.headers.fields)


async def test_plain_refused_streamed_and_left_exchanges_have_one_span_each_that_ends_once():
    spans = Spans()
    harness = spans.harness()
    await harness.send(chat())
    await harness.send(chat(), target=b"/unlisted")
    await harness.send(chat(stream=True), upstream=streamed_answer("hello"))
    await harness.send(chat(), leaves="answer")
    await harness.send(None, fault="malformed-request")
    assert [len(span.ended) for span in spans.begun] == [1] * 5
    chats = "POST /v1/chat/completions"
    assert [span.name for span in spans.begun] == [chats, "HTTP", chats, chats, "HTTP"]
    assert {span.started_ns for span in spans.begun} == {1_000_000}
    reasons = [span.ended[0][0].get("gatehouse.reason") for span in spans.begun]
    assert reasons == [None, "route-not-listed", None, "client-disconnected", "malformed-request"]


async def test_the_record_is_written_before_the_span_ends():
    spans = Spans()
    harness = spans.harness()
    kinds = []
    original = FakeSpan.end

    def end(span, *arguments, **more):
        kinds.append(harness.sink.envelopes[-1]["kind"])
        original(span, *arguments, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeSpan, "end", end)
        await harness.send(chat(stream=True), upstream=streamed_answer("hello"))
    assert kinds == ["terminal"]


async def test_our_span_goes_upstream_in_the_place_of_the_clients_and_the_state_with_it():
    spans = Spans()
    fields = [*head(b""), (b"Traceparent", PARENT), (b"Tracestate", b"vendor=1")]
    told = await spans.harness().send(chat(), headers=fields)
    assert (spans.begun[0].parent.trace_id, spans.begun[0].parent.span_id) == (
        PARENT[3:35].decode(),
        "00f067aa0ba902b7",
    )
    sent = sent_upstream(told)
    assert sent[b"traceparent"] == b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
    assert sent[b"tracestate"] == b"vendor=1"


@pytest.mark.parametrize("tracestate", [b"vendor=1", b"BROKEN"])
async def test_what_is_not_sampled_passes_as_without_tracing(tracestate):
    fields = [*head(b""), (b"Traceparent", PARENT), (b"Tracestate", tracestate)]
    told = await Spans(sampled=False).harness().send(chat(), headers=fields)
    assert sent_upstream(told)[b"traceparent"] == PARENT
    assert b"tracestate" not in sent_upstream(told)


async def test_the_record_names_the_trace_that_we_began():
    harness = Spans().harness()
    await harness.send(chat())
    assert harness.sink.envelopes[-1]["trace_id"] == "a" * 32


@pytest.mark.parametrize("fails_at", ["begin", "end"])
async def test_a_failure_costs_the_span_and_not_the_exchange_and_is_logged_once(fails_at):
    harness = Spans(fails_at=fails_at).harness()
    with structlog.testing.capture_logs() as logged:
        tolds = [await harness.send(chat(), upstream=plain_answer("hello")) for _ in range(2)]
    assert [told.status for told in tolds] == [200, 200]
    assert [line["error"] for line in logged if line["event"] == "tracing_failed"] == ["RuntimeError"]
