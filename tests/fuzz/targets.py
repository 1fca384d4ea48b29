# SPDX-License-Identifier: Apache-2.0
"""What must hold for any bytes, place by place. Each target takes an input and raises where something does not hold."""

import asyncio
import contextlib
import functools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import h11
import orjson
import structlog
from mitmproxy import http

from policies.contracts.decision import Effect
from policies.contracts.snapshot import Dialect
from policies.redaction.engine import ActiveRules
from proxy_addons.addons.flows import exchange_of
from proxy_addons.core.answer_framing import AnswerInvalid as FramingInvalid
from proxy_addons.core.answer_framing import AnswerParser
from proxy_addons.core.answers import AnswerInvalid, redact_answer
from proxy_addons.core.refused import Refused
from proxy_addons.core.request_reader import read_body
from proxy_addons.core.responses_stream import ResponsesEnforcer
from proxy_addons.core.sse import SseEnforcer
from tests.fuzz import seeds
from tests.fuzz.audit_targets import AUDIT_TARGETS
from tests.sans_io import Talk
from tests.unit.proxy_addons.harness import Harness, active_policy, key_ring, route

_POLICY: Final = active_policy()
_KEYS: Final = key_ring()
_ROUTE: Final = route()
_LOOP: Final = asyncio.new_event_loop()
_FAILURES: Final = frozenset({"enforcement_failed", "layer_failed"})


def _rules() -> ActiveRules:
    return _POLICY.redaction.rules_for(("answer-redaction",), operation="chat.completions", model="parrot")


def _on_loop(target: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Let `target` run on an event loop: hooks are coroutines, though none waits with engines and sinks of a harness."""

    async def inside(data: bytes) -> None:
        target(data)

    @functools.wraps(target)
    def run(data: bytes) -> None:
        _LOOP.run_until_complete(inside(data))

    return run


class CountsAllowed:
    """The last addon: how many requests left the others allowed."""

    def __init__(self) -> None:
        self.count = 0

    def request(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        decision = exchange.decision
        self.count += decision is not None and decision.effect is Effect.ALLOW and exchange.refusal is None


class Plane:
    """The layer and all addons of a worker, without sockets."""

    def __init__(self) -> None:
        self.harness = Harness(policy=_POLICY, keys=_KEYS)
        self.allowed = CountsAllowed()
        self.talk = Talk(*self.harness.addons, self.allowed)

    def receive(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self.talk.receive(piece)

    def check(self) -> None:
        """Nothing went upstream that no decision allowed, and every answer that was told is on record once."""
        terminal = [record for record in self.harness.sink.envelopes if record["kind"] == "terminal"]
        told = re.findall(rb"HTTP/1\.1 ([2-5]\d\d) .*?\r\nx-request-id: (\S+)\r\n", self.talk.sent, flags=re.DOTALL)
        assert len({record["request_id"] for record in terminal}) == len(terminal), "two terminal records"
        recorded = {record["request_id"]: record["http"]["status"] for record in terminal}
        for status, request_id in told:
            assert recorded.get(request_id.decode()) == int(status) or not self.talk.layer.idle, "told, not recorded"
        assert len(self.talk.calls) <= self.allowed.count, "asked the upstream without a decision that allows"
        for raw in self.talk.requests:
            _check_forwarded(raw)


def _check_forwarded(raw: bytes) -> None:
    """A strict parser that is not ours reads exactly one request, and a body that is what we examined."""
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(raw)
    head, body = parser.next_event(), b""
    while isinstance(event := parser.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(head, h11.Request), "no request"
    assert isinstance(event, h11.EndOfMessage), "no end"
    assert parser.trailing_data[0] == b"", "bytes after the request"
    assert head.target in {b"/v1/chat/completions", b"/v1/completions", b"/v1/models"}, "another path"
    assert json.loads(body) == orjson.loads(body) if body else True, "two readings"


def _cut(data: bytes) -> list[bytes]:
    """Return all but the first byte of `data`, in pieces as that byte says."""
    if not data:
        return []
    size, rest = data[0], data[1:]
    step = len(rest) or 1 if size < 128 else max(1, size - 127)  # half of all inputs are whole
    return [rest[at : at + step] for at in range(0, len(rest), step)]


@_on_loop
def request(data: bytes) -> None:
    """Bytes of a client, from the first on."""
    plane = Plane()
    with structlog.testing.capture_logs() as logs:
        plane.receive(_cut(data))
        plane.check()
        answered = 0
        while len(plane.talk.calls) > answered:
            answered = len(plane.talk.calls)
            plane.talk.answer(seeds.UPSTREAM_ANSWERS[0])
        plane.check()
        plane.talk.leave()
    assert not any(log["event"] in _FAILURES for log in logs), "a hook or the layer failed"
    _check_clean(bytes(plane.talk.sent))


@_on_loop
def upstream_answer(data: bytes) -> None:
    """Bytes of an upstream, in answer to a request that was allowed."""
    plane = Plane()
    with structlog.testing.capture_logs() as logs:
        plane.receive([seeds.REQUESTS[data[0] % 2 if data else 0]])
        for piece in _cut(data):
            if plane.talk.closed or plane.talk.layer.idle:
                break
            plane.talk.answer(piece)
        if not plane.talk.layer.idle and not plane.talk.closed:
            plane.talk.upstream_fails("upstream-unavailable")
        plane.check()
    assert not any(log["event"] in _FAILURES for log in logs), "a hook or the layer failed"
    _check_clean(bytes(plane.talk.sent))


def stream(data: bytes) -> None:
    """The content of a streamed answer: every prefix of what leaves is clean, and every event is JSON."""
    enforcer = SseEnforcer(dialect=Dialect.CHAT, rules=_rules(), request_id="req_1", max_event_bytes=1 << 20)
    left = b""
    for piece in _cut(data):
        left += enforcer.feed(piece)
        if enforcer.cut is not None:
            break
    else:
        left += enforcer.finish()
    _check_clean(left)
    for event in left.split(b"\n\n")[:-1]:
        assert event.startswith(b"data: "), "not an event of ours"
        if event != b"data: [DONE]":
            json.loads(event[6:])


def responses(data: bytes) -> None:
    """The content of a streamed response: what leaves is clean, and every event is typed JSON of its name."""
    enforcer = ResponsesEnforcer(rules=_rules(), request_id="req_1", max_event_bytes=1 << 20)
    left = b""
    for piece in _cut(data):
        left += enforcer.feed(piece)
        if enforcer.cut is not None:
            break
    else:
        left += enforcer.finish()
    _check_clean(left)
    for event in left.split(b"\n\n")[:-1]:
        name, told = event.split(b"\n")
        assert json.loads(told.removeprefix(b"data: "))["type"].encode() == name.removeprefix(b"event: ")


def answer(data: bytes) -> None:
    """A plain answer: examined and written again, or invalid."""
    try:
        left = redact_answer(data, dialect=Dialect.CHAT, rules=_rules(), max_bytes=1 << 20)
    except AnswerInvalid:
        return
    if left.blocked is None:
        _check_clean(left.body)
        assert json.loads(left.body) == orjson.loads(left.body), "two readings"


def request_body(data: bytes) -> None:
    """A request body: refused, or forwarded in a form that reads as itself."""
    try:
        read = read_body(data, _ROUTE)
    except Refused:
        return
    again = read_body(read.body or b"", _ROUTE)
    assert (again.body, again.model) == (read.body, read.model), "reads otherwise the second time"


def answer_framing(data: bytes) -> None:
    """The framing of an upstream's answer."""
    parser = AnswerParser(to_head_request=False)
    with contextlib.suppress(FramingInvalid):
        for piece in _cut(data):
            parser.receive(piece)
        parser.close()


def _check_clean(left: bytes) -> None:
    """What left holds nothing that had to change: as it stands there, and as a client puts it together."""
    text = left.decode("utf-8", "replace")
    contents: dict[object, str] = {}
    for value in _objects(text):
        for choice in value.get("choices") or ():
            said = (choice.get("delta") or choice.get("message") or {}).get("content")
            contents[choice.get("index")] = contents.get(choice.get("index"), "") + (said or "")
        if str(value.get("type")).endswith(".delta"):
            where = tuple(value.get(name) for name in ("type", "output_index", "content_index", "summary_index"))
            contents[where] = contents.get(where, "") + value["delta"]
    for content in (text, *contents.values()):
        assert not _findings(content), "left unredacted"


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of an answer or a stream that left, as far as they can be read."""
    for found in re.findall(r"(?m)^(?:data: )?(\{.*\})", text):
        with contextlib.suppress(ValueError):
            yield json.loads(found)


def _findings(text: str) -> bool:
    """Whether the policy's detectors find in `text` what they would have changed. A card may be part of a longer number."""
    return _POLICY.redaction.text(operation="chat.completions", model="parrot", text=text).text != text


TARGETS: Final[dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]]] = {
    "request": (request, tuple(b"\x00" + raw for raw in seeds.REQUESTS)),
    "upstream-answer": (upstream_answer, tuple(b"\x01" + raw for raw in seeds.UPSTREAM_ANSWERS)),
    "stream": (stream, tuple(b"\x00" + raw for raw in seeds.STREAMS)),
    "responses": (responses, tuple(b"\x00" + raw for raw in seeds.RESPONSES)),
    "answer": (answer, seeds.ANSWERS),
    "request-body": (request_body, seeds.BODIES),
    "answer-framing": (answer_framing, tuple(b"\x00" + raw for raw in seeds.UPSTREAM_ANSWERS)),
    **AUDIT_TARGETS,
}
