# SPDX-License-Identifier: Apache-2.0
"""The enforcement point as mitmproxy addons: thin, over the sans-io core, in one visible order.

Rules: every hook stands under `fail_closed`. An addon does nothing to an exchange that is refused already. What the
hooks may rely on is the docstring of `proxy_addons.core.exchange`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from policies.evaluation.pipeline import TakeToken
from proxy_addons.addons.aside import Aside
from proxy_addons.addons.enforce_request import EnforceRequest
from proxy_addons.addons.enforce_response import EnforceResponse
from proxy_addons.addons.enforce_stream import EnforceStream
from proxy_addons.addons.identify import Identify
from proxy_addons.addons.judge_beside import JudgeBeside, NoteBeside
from proxy_addons.addons.keep_content import KeepContent
from proxy_addons.addons.note_open import BeginOpen, EndOpen, OpenTable
from proxy_addons.addons.record_decision import RecordDecision, RecordIdentity, RecordSink
from proxy_addons.addons.seal import Seal
from proxy_addons.addons.snapshot_feed import SnapshotFeed
from proxy_addons.addons.trace import Trace
from proxy_addons.core.exchange import Exchange
from proxy_addons.core.judged_texts import AskScreen, no_screen
from proxy_addons.core.lost_request import Noting
from proxy_addons.core.record_builder import RecordScope
from proxy_addons.http1.bounds import Bounds

# The largest events seen carry a whole tool call; a megabyte of one is an attack on our memory.
MAX_EVENT_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AddonPorts:
    """What the addons need from outside: where records go and whose they are, how rates are counted, our host names,
    who screens prompts.

    `on_end` is told each exchange that has ended. It MUST NOT raise: the exchange would be refused. `trace` is None
    where nobody is told of traces; `open_requests` is None where no worker's death has to be survived (in tests).
    """

    sink: RecordSink
    take_token: Callable[[TakeToken], Awaitable[float]]
    scope: RecordScope
    identity: RecordIdentity
    ask_screen: AskScreen = no_screen
    hosts: frozenset[str] = frozenset()
    on_end: Callable[[Exchange], None] = lambda _: None
    trace: Trace | None = None
    open_requests: OpenTable | None = None


def build_addons(feed: SnapshotFeed, ports: AddonPorts) -> list[object]:
    """Return the addons in the order in which each hook runs through them. The order is part of the enforcement."""

    def ended(exchange: Exchange) -> None:
        judge.finish(exchange)
        feed.finish(exchange)
        ports.on_end(exchange)
        if ports.trace is not None:
            ports.trace.finish(exchange)
        exchange.restoring = exchange.content = None
        if exchange.tally is not None:
            exchange.tally.forget()

    aside = Aside()
    judge = JudgeBeside(
        feed,
        scope=ports.scope,
        aside=aside,
        hosts=ports.hosts,
        ask_screen=ports.ask_screen,
        clock=ports.identity.clock,
    )
    table, noting = ports.open_requests, Noting(ports.scope)
    return [
        *(() if table is None else (BeginOpen(table, noting),)),
        feed,
        Identify(feed, clock=ports.identity.clock),
        NoteBeside(feed),
        EnforceRequest(
            take_token=ports.take_token,
            scope=ports.scope,
            hosts=ports.hosts,
            aside=aside,
            ask_screen=ports.ask_screen,
        ),
        judge,
        *(() if ports.trace is None else (ports.trace,)),
        EnforceResponse(max_answer_bytes=Bounds().answer_bytes, aside=aside),
        EnforceStream(max_event_bytes=MAX_EVENT_BYTES),
        KeepContent(ports.scope),
        RecordDecision(ports.sink, scope=ports.scope, identity=ports.identity),
        *(() if table is None else (EndOpen(table, noting),)),
        Seal(on_end=ended),
    ]
