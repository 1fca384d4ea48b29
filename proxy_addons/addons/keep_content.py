# SPDX-License-Identifier: Apache-2.0
"""Keeps what policy wants kept of prompts and answers, for the record. Stands behind everything that changes them."""

from mitmproxy import http

from policies.contracts.content import Side
from policies.contracts.decision import Verdict
from policies.sealed_texts import Seal
from proxy_addons.addons.fail_closed import fail_closed
from proxy_addons.addons.flows import Hook, enforcer_of, exchange_of
from proxy_addons.core.kept_content import KeptContent
from proxy_addons.core.record_builder import RecordScope
from proxy_addons.core.recording_terms import terms_of
from proxy_addons.core.streaming import StreamEnforcer
from proxy_addons.core.system_texts import FIRST_TEXTS
from proxy_addons.core.texts_said import pieces_of, texts_of

_DELIVERED = (Verdict.FORWARDED, Verdict.REDACTED)


class KeepContent:
    def __init__(self, scope: RecordScope) -> None:
        self._seal = Seal(key=scope.pseudonym_key, tenant=scope.tenant)

    @fail_closed(Hook.REQUEST)
    def request(self, flow: http.HTTPFlow) -> None:
        """What is in the flow now is what is forwarded."""
        exchange = exchange_of(flow)
        if exchange.refusal is not None or not (terms := terms_of(exchange)).keeps_content:
            return
        exchange.content = KeptContent(terms, seal=self._seal)
        if exchange.content.wants(Side.PROMPT):
            texts = texts_of(flow.request.raw_content or b"")
            # What policy put in stands first, and everybody who reads the policy knows it.
            put_in = exchange.system_prompt is not None and exchange.system_prompt.inserted
            exchange.content.add(Side.PROMPT, [text for text in texts if not (put_in and text[0] in FIRST_TEXTS)])

    @fail_closed(Hook.RESPONSEHEADERS)
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        exchange, enforcer = exchange_of(flow), enforcer_of(flow)
        if exchange.refusal is not None or flow.response is None or enforcer is None:
            return
        if exchange.content is not None and exchange.content.wants(Side.ANSWER):
            kept = KeptStream(enforcer, exchange.content)
            flow.response.stream = kept  # type: ignore[assignment]  # as in enforce_stream

    @fail_closed(Hook.RESPONSE)
    def response(self, flow: http.HTTPFlow) -> None:
        exchange, response = exchange_of(flow), flow.response
        if exchange.content is None or response is None or enforcer_of(flow) is not None:
            return
        if exchange.verdict in _DELIVERED and exchange.content.wants(Side.ANSWER):
            exchange.content.add(Side.ANSWER, texts_of(response.raw_content or b""))


class KeptStream:
    """A StreamEnforcer around another, `enforcer`, whose texts it notes as they leave."""

    def __init__(self, enforcer: StreamEnforcer, content: KeptContent) -> None:
        self.enforcer = enforcer
        self._content = content

    def feed(self, piece: bytes, /) -> bytes:
        return self._noted(self.enforcer.feed(piece))

    def finish(self) -> bytes:
        return self._noted(self.enforcer.finish())

    def abort(self, code: str, /) -> bytes:
        return self.enforcer.abort(code)

    @property
    def cut(self) -> object | None:
        cut: object | None = getattr(self.enforcer, "cut", None)
        return cut

    @property
    def waits(self) -> bool:
        waits: bool = getattr(self.enforcer, "waits", False)
        return waits

    async def decide(self) -> None:
        await self.enforcer.decide()  # type: ignore[attr-defined]  # it is asked only where `waits` is true

    def decided(self) -> bytes:
        return self._noted(self.enforcer.decided())  # type: ignore[attr-defined]  # as above

    @property
    def due_ns(self) -> int | None:
        due: int | None = getattr(self.enforcer, "due_ns", None)
        return due

    def expire(self, now_ns: int, /) -> bytes:
        return self._noted(self.enforcer.expire(now_ns))  # type: ignore[attr-defined]  # as its `due_ns` says

    def _noted(self, leaving: bytes) -> bytes:
        if leaving:
            self._content.add(Side.ANSWER, pieces_of(leaving))
        return leaving
