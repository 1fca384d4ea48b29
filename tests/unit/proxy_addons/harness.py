# SPDX-License-Identifier: Apache-2.0
"""Drives the addons as the HTTP/1.1 layer does (`proxy_addons.core.exchange`), without a socket.

What reached the upstream and what the client was told are what a test looks at; nothing else counts.
"""

import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from mitmproxy import http
from mitmproxy.test import tflow

from policies.bundle.credentials import ApiKey, CredentialsDocument, hash_api_key
from policies.contracts.decision import Effect, EngineAnswer, Mode, Outcome, PolicyAnswer, Reason
from policies.contracts.record import DecisionRecord, Source
from policies.contracts.request import EvaluationRequest, Subject
from policies.contracts.scope import UNSCOPED
from policies.contracts.snapshot import (
    AccessPolicy,
    Dialect,
    Grant,
    GuardPolicy,
    LimitPolicy,
    PolicySnapshot,
    RedactionAction,
    RedactionPolicy,
    RedactionRule,
    Route,
)
from policies.engines.casbin import CasbinAccess
from policies.evaluation.screening import Screening
from policies.evaluation.tool_calls import CallRules
from policies.redaction.engine import Redaction
from proxy_addons.addons import AddonPorts, build_addons
from proxy_addons.addons.record_decision import RecordIdentity
from proxy_addons.addons.snapshot_feed import SnapshotFeed
from proxy_addons.addons.trace import Trace
from proxy_addons.clients.spool import SpoolUnavailable
from proxy_addons.core.active import ActivePolicy
from proxy_addons.core.exchange import EXCHANGE, Exchange
from proxy_addons.core.identity import KeyRing
from proxy_addons.core.judged_texts import AskScreen, no_screen
from proxy_addons.core.record_builder import RecordScope
from proxy_addons.core.streaming import StreamEnforcer
from proxy_addons.prepared_policy import models_allowed

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
PEPPER = b"p" * 32
CARD = "4111 1111 1111 1111"
SECRET_PROMPT = "the marzipan is under the floor"
HEADER_LINE = "-----BEGIN RSA PRIVATE KEY-----"


def key_of(name: str) -> str:
    return f"gh_01KEY{name.upper()}_{name[0] * 43}"


def key_ring(**changes: Any) -> KeyRing:
    keys = tuple(
        ApiKey(
            id=f"01KEY{name.upper()}",
            hash=hash_api_key(PEPPER, key_of(name)),
            subject=Subject(type="user", id=name),
            expires_at=changes.get("expires_at") if name == "bob" else None,
            revoked=changes.get("revoked", False) if name == "bob" else False,
            scope=changes.get("scope", UNSCOPED) if name == "bob" else UNSCOPED,
        )
        for name in ("alice", "bob")
    )
    document = CredentialsDocument(
        tenant="default",
        environment="production",
        epoch=changes.get("epoch", 1),
        issued_at=NOW,
        keys=keys,
        blocked=changes.get("blocked", ()),
    )
    return KeyRing.of(document, pepper=PEPPER)


def snapshot(**changes: Any) -> PolicySnapshot:
    routes = (
        ("chat", "POST", "/v1/chat/completions", "chat.completions", Dialect.CHAT),
        ("completions", "POST", "/v1/completions", "completions", Dialect.COMPLETIONS),
        ("models", "GET", "/v1/models", "models.list", Dialect.MODELS),
    )
    grants = (
        Grant(
            id="alice-all",
            effect=Effect.ALLOW,
            subjects=("user:alice",),
            models=("parrot", "parrot-restricted"),
            operations=("chat.completions", "completions"),
        ),
        Grant(
            id="bob-parrot",
            effect=Effect.ALLOW,
            subjects=("user:bob",),
            models=("parrot",),
            operations=("chat.completions", "completions"),
        ),
        Grant(id="list", effect=Effect.ALLOW, subjects=("*",), models=(), operations=("models.list",)),
    )
    members: dict[str, Any] = {
        "tenant": "default",
        "environment": "production",
        "groups": {},
        "access": (AccessPolicy(id="chat-access", version="1", mode=Mode.ENFORCE, grants=grants),),
        "guards": (
            GuardPolicy(
                id="request-caps",
                version="1",
                mode=Mode.ENFORCE,
                module="package gatehouse.guard.request_caps",
                data={},
                reasons={"tool-not-permitted": "The request offers a tool that policy forbids."},
            ),
        ),
        "routes": tuple(
            Route(id=id_, policy="openai-routes", method=method, path=path, operation=operation, dialect=dialect)
            for id_, method, path, operation, dialect in routes
        ),
        "limits": (
            LimitPolicy(
                id="standard-limits",
                version="1",
                mode=Mode.ENFORCE,
                subjects=("*",),
                max_body_bytes=20_000,
                rate=None,
            ),
        ),
        "redactions": (
            RedactionPolicy(
                id="answer-redaction",
                version="1",
                mode=Mode.ENFORCE,
                operations=(),
                models=(),
                rules=(
                    RedactionRule(id="card", detectors=("payment-card",), action=RedactionAction.REPLACE),
                    RedactionRule(id="key", detectors=("private-key-header",), action=RedactionAction.BLOCK),
                ),
            ),
        ),
    }
    return PolicySnapshot(**(members | changes))


def route(dialect: Dialect = Dialect.CHAT, **options: Any) -> Route:
    """Return a route of `dialect` with other options than those of `snapshot()`."""
    paths = {
        Dialect.RESPONSES: "/v1/responses",
        Dialect.EMBEDDINGS: "/v1/embeddings",
        Dialect.TRANSCRIPTIONS: "/v1/audio/transcriptions",
    }
    if dialect in paths:
        options = {"path": paths[dialect], "operation": "completions", "dialect": dialect} | options
        dialect = Dialect.CHAT
    return replace(next(each for each in snapshot().routes if each.dialect is dialect), **options)


class FakeGuard:
    """Denies a tool named `shell`. `problem` is raised instead of an answer; `mode` is that of its one policy."""

    def __init__(self, *, problem: Exception | None = None, mode: Mode = Mode.ENFORCE) -> None:
        self.problem = problem
        self.mode = mode

    async def evaluate(self, request: EvaluationRequest, access: EngineAnswer) -> EngineAnswer:
        if self.problem is not None:
            raise self.problem
        denied = "shell" in request.facts.tools
        answer = PolicyAnswer(
            policy="request-caps",
            mode=self.mode,
            outcome=Outcome.DENY if denied else Outcome.NOT_APPLICABLE,
            reasons=(Reason(code="tool-not-permitted", policy="request-caps"),) if denied else (),
        )
        return EngineAnswer(engine="opa", answers=(answer,), provenance="7+sha256:test")

    async def close(self) -> None:
        return


def active_policy(
    *, serial: int = 7, guard: Any = None, access: Any = None, access_policies: Any = None, **changes: Any
) -> ActivePolicy:
    compiled = snapshot(**changes | ({} if access_policies is None else {"access": access_policies}))
    return ActivePolicy(
        serial=serial,
        manifest_revision=f"{serial}+{compiled.revision}",
        snapshot=compiled,
        access=access or CasbinAccess(compiled),
        guard=guard or FakeGuard(),
        routes={(route.method, route.path): route for route in compiled.routes},
        redaction=Redaction.of(compiled.redactions),
        calls=CallRules.of(compiled.tools),
        models=models_allowed(compiled),
        screening=Screening.of(compiled.screening),
    )


class FakeSink:
    """Keeps records; `full` makes every write fail, as a full disk does, `writable` says whether that is known.

    Without `proved` a look at the disk is waited for, which finds it as `full` as it is.
    """

    def __init__(self) -> None:
        self.full = False
        self.writable = True
        self.proved = True
        self.posted: list[DecisionRecord] = []
        self.records: list[DecisionRecord] = []
        self._seq = 0

    def next_source(self) -> Source:
        self._seq += 1
        return Source(id="node-1/w0", boot_id="b" * 32, seq=self._seq)

    async def prove(self) -> bool:
        self.writable = not self.full
        return self.writable

    def post(self, record: DecisionRecord) -> None:
        self.posted.append(record)

    async def write(self, record: DecisionRecord, *, admitted: bool) -> None:
        if self.full:
            raise SpoolUnavailable("no space left")
        self.records.append(record)

    @property
    def envelopes(self) -> list[dict[str, Any]]:
        return [json.loads(record.envelope) for record in self.records]


@dataclass(kw_only=True)
class Upstream:
    """What the upstream answers. `pieces` are the network reads of its body; `breaks` is the fault after them."""

    status: int = 200
    headers: Sequence[tuple[bytes, bytes]] = ((b"Content-Type", b"application/json"), (b"Server", b"leaky/1.0"))
    pieces: Sequence[bytes] = ()
    breaks: str | None = None


@dataclass(kw_only=True)
class Told:
    """What came of one request. `status` None: the client left."""

    flow: http.HTTPFlow
    exchange: Exchange
    sent_upstream: list[bytes] = field(default_factory=list)
    status: int | None = None
    body: bytes = b""

    @property
    def code(self) -> str | None:
        """The reason code the client was told, plain or as the last event of a stream."""
        text = self.body.rsplit(b"data: ", 1)[-1]
        try:
            error = json.loads(text).get("error")
        except ValueError:
            return None
        return None if error is None else str(error["code"])

    @property
    def message(self) -> str:
        return str(json.loads(self.body)["error"]["message"])


class Harness:
    """One worker's addons. `addons` may be changed by a test to leave one out or to break it."""

    def __init__(
        self,
        *,
        policy: ActivePolicy | None = None,
        keys: KeyRing | None = None,
        trace: Trace | None = None,
        ask_screen: AskScreen = no_screen,
    ) -> None:
        self.sink = FakeSink()
        self.released: list[int] = []
        self.wait_s = 0.0
        self.feed = SnapshotFeed(on_release=lambda ended: self.released.append(ended.serial))
        ids = iter(range(1, 10**6))
        ports = AddonPorts(
            sink=self.sink,
            take_token=self._take_token,
            scope=RecordScope(tenant="default", environment="production", pseudonym_key=b"k" * 32),
            identity=RecordIdentity(
                clock=lambda: NOW,
                monotonic_ns=lambda: 9_000_000,
                new_id=lambda: f"rec-{next(ids)}",
                new_salt=lambda: "5a" * 16,
            ),
            trace=trace,
            ask_screen=ask_screen,
        )
        self.addons = build_addons(self.feed, ports)
        self._count = 0
        if policy is not None:
            self.feed.swap(policy)
        if keys is not None:
            self.feed.use_credentials(keys)

    async def _take_token(self, _ask: object) -> float:
        return self.wait_s

    def addon(self, kind: type) -> Any:
        return next(addon for addon in self.addons if isinstance(addon, kind))

    def without(self, kind: type) -> None:
        self.addons = [addon for addon in self.addons if not isinstance(addon, kind)]

    async def hook(self, name: str, flow: http.HTTPFlow) -> None:
        for addon in self.addons:
            method = getattr(addon, name, None)
            result = method(flow) if method is not None else None
            if inspect.isawaitable(result):
                await result

    async def send(
        self,
        body: bytes | dict[str, Any] | None = None,
        *,
        method: str = "POST",
        target: bytes = b"/v1/chat/completions",
        headers: Sequence[tuple[bytes, bytes]] | None = None,
        upstream: Upstream | Callable[[bytes], Upstream] | None = None,
        fault: str | None = None,
        leaves: str | None = None,
        peer: bytes | None = None,
    ) -> Told:
        """Send one request through all hooks. `leaves` names the hook before which the client leaves."""
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        told = self._begin(content, method=method, target=target, headers=headers, fault=fault)
        flow, exchange = told.flow, told.exchange
        exchange.peer_certificate = peer
        await self.hook("requestheaders", flow)
        if flow.response is None:
            flow.request.data.content = content or b""
            exchange.bytes_in = len(content or b"")
            if exchange.bytes_in > exchange.max_body_bytes:
                exchange.fault = "body-too-large"
                flow.request.data.content = None
            await self.hook("request", flow)
        if flow.response is None:
            told.sent_upstream.append(flow.request.raw_content or b"")
            answer = (
                upstream(flow.request.raw_content or b"") if callable(upstream) else upstream or plain_answer("hello")
            )
            if leaves == "answer":
                return await self._client_leaves(told)
            return await self._answer(told, answer, leaves=leaves)
        return await self._whole(told)

    def _begin(self, content: bytes | None, **asked: Any) -> Told:
        self._count += 1
        fields = asked["headers"] if asked["headers"] is not None else head(content)
        flow = tflow.tflow()
        flow.request = http.Request.make(asked["method"], "http://upstream.invalid/", b"", http.Headers(fields))
        flow.request.data.path = asked["target"]
        flow.request.data.headers = http.Headers(fields)
        exchange = Exchange(
            request_id=f"req_{self._count:026d}", received_at=NOW, started_ns=1_000_000, fault=asked["fault"]
        )
        flow.metadata[EXCHANGE] = exchange
        return Told(flow=flow, exchange=exchange)

    async def _answer(self, told: Told, answer: Upstream, *, leaves: str | None) -> Told:
        flow = told.flow
        received = http.Response.make(answer.status, b"", http.Headers(answer.headers))
        flow.response = received
        await self.hook("responseheaders", flow)
        if flow.response is not received:
            return await self._whole(told)
        enforcer = received.stream
        if isinstance(enforcer, StreamEnforcer):
            return await self._stream(told, enforcer, answer, leaves=leaves)
        if answer.breaks is not None:
            flow.response, told.exchange.fault = None, answer.breaks
            await self.hook("error", flow)
        else:
            received.data.content = b"".join(answer.pieces)
        return await self._whole(told)

    async def _stream(self, told: Told, enforcer: StreamEnforcer, answer: Upstream, *, leaves: str | None) -> Told:
        flow, exchange = told.flow, told.exchange
        told.status = flow.response.status_code if flow.response else None
        last = b""
        try:
            for piece in answer.pieces:
                told.body += await _settled(enforcer, enforcer.feed(piece))
                if leaves == "stream":
                    return await self._client_leaves(told)
            if answer.breaks is None:
                last = await _settled(enforcer, enforcer.finish())
        except Exception:
            exchange.fault = "evaluation-failed"
        exchange.fault = exchange.fault or answer.breaks
        if exchange.fault is not None:
            last = enforcer.abort(exchange.fault)
            await self.hook("error", flow)
        known = exchange.refusal
        await self.hook("response", flow)
        if exchange.refusal is not None and exchange.refusal is not known:
            last = enforcer.abort(exchange.refusal.code)
        told.body += last
        return told

    async def _whole(self, told: Told) -> Told:
        await self.hook("response", told.flow)
        if told.flow.response is not None:
            told.status, told.body = told.flow.response.status_code, told.flow.response.raw_content or b""
        return told

    async def _client_leaves(self, told: Told) -> Told:
        told.exchange.fault = "client-disconnected"
        await self.hook("error", told.flow)
        told.status = None
        return told


async def _settled(enforcer: StreamEnforcer, left: bytes) -> bytes:
    """Return what left, and what leaves once it is decided, as the layer has it."""
    if getattr(enforcer, "waits", False):
        await enforcer.decide()
        left += enforcer.decided()
    return left


def ready_harness(**policy: Any) -> Harness:
    return Harness(policy=active_policy(**policy), keys=key_ring())


def head(content: bytes | None, *, key: str = "alice") -> list[tuple[bytes, bytes]]:
    fields = [(b"Host", b"gateway.invalid"), (b"Authorization", b"Bearer " + key_of(key).encode())]
    if content is not None:
        fields += [(b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(content))]
    return fields


def chat(text: str = SECRET_PROMPT, **changes: Any) -> dict[str, Any]:
    return {"model": "parrot", "messages": [{"role": "user", "content": text}]} | changes


def plain_answer(text: str) -> Upstream:
    message = {"role": "assistant", "content": text}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "parrot",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    return Upstream(pieces=[json.dumps(body).encode()])


def streamed_answer(text: str, *, done: bool = True) -> Upstream:
    def event(delta: dict[str, Any], finish: str | None) -> bytes:
        chunk = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "parrot",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }
        return b"data: " + json.dumps(chunk).encode() + b"\n\n"

    pieces = [event({"role": "assistant", "content": ""}, None), event({"content": text}, None), event({}, "stop")]
    if done:
        pieces.append(b"data: [DONE]\n\n")
    return Upstream(headers=[(b"Content-Type", b"text/event-stream; charset=utf-8")], pieces=pieces)
