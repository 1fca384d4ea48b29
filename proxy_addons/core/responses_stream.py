# SPDX-License-Identifier: Apache-2.0
"""A streamed answer to a responses request, examined event by event, as `sse.py` does for chat.

Rules:

* The event that ends the answer (`response.completed`, `response.incomplete`) is given by `finish`, which the layer
  calls when the record is durable. There is no `[DONE]` in this dialect, and nothing after the end is looked at.
* What an event is, its data says; the name of the upstream's event does not pass, and ours is written from the data.
* Where a rule may change the answer, or pseudonyms are put back, events leave numbered anew, since pieces may be held.
* Where none may, events pass as they were parsed; what their texts say is looked at all the same, and counted.
* Whatever cannot be examined ends the stream with one `error` event: broken JSON, an item nobody can examine, a text
  told otherwise than its pieces, an event too large, an error of the upstream (whose text stays here), no end.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from policies.contracts.decision import Reason
from policies.contracts.tools import AskedCall, OnRefusal, RefusedCall
from policies.evaluation.tool_calls import CallVerdict
from policies.redaction.engine import ActiveRules, AnswerBlocked, FindingCount
from policies.redaction.findings import Tally
from proxy_addons.core.answer_walk import AnswerWalk
from proxy_addons.core.coverage import Coverage
from proxy_addons.core.responses_calls import CallEvents, UndecidedItem, without_refused
from proxy_addons.core.responses_events import ENDS, Event, ToldResponse
from proxy_addons.core.responses_text import Kept, Means
from proxy_addons.core.restoring import Shared
from proxy_addons.core.sse_calls import Allowance
from proxy_addons.core.sse_events import EventReader, EventTooLarge
from proxy_addons.core.sse_tree import NotExaminable
from proxy_addons.core.strict_json import NotStrictJson, canonical, parse_object
from proxy_addons.core.verdict_http import typed_error_event
from proxy_addons.core.why_cut import INVALID, UpstreamFailed, reason_of

_FAILED: Final = frozenset({"error", "response.failed"})
# What stands in a line of its own must not end the line.
_KIND: Final = re.compile(r"[a-z][a-z0-9_.]{0,127}", re.ASCII)


class ResponsesEnforcer:
    """The StreamEnforcer of OpenAI's responses streams. Not to be used for more than one answer."""

    def __init__(
        self,
        *,
        rules: ActiveRules,
        request_id: str,
        max_event_bytes: int,
        shared: Shared | None = None,
        judged: bool = False,
        strict: bool = False,
    ) -> None:
        self.cut: Reason | None = None
        self.refused_calls: tuple[RefusedCall, ...] = ()
        self._calls = CallEvents(strict=strict) if judged else None
        self.done = False
        self._request_id = request_id
        self._events = EventReader(max_event_bytes=max_event_bytes)
        shared = shared or Shared(Tally())
        self._tally = shared.tally
        self._walk = AnswerWalk(rules, shared.tally, strict=strict)
        # The answer's end tells all texts in one event, so that no more of them could be told than that event may hold.
        self._means = Means(rules, self._walk, shared, Kept(max_event_bytes), Allowance())
        self._told = ToldResponse(self._means)
        self._timed = rules.terms.hold.max_ms is not None
        self._number = 0
        self._last: Event | None = None

    @property
    def findings(self) -> tuple[FindingCount, ...]:
        return self._tally.findings

    @property
    def coverage(self) -> Coverage:
        return self._walk.coverage

    def feed(self, piece: bytes, /) -> bytes:
        """Return the events that may leave now that `piece` arrived."""
        leaving: list[bytes] = []
        if self.cut is not None or self.done:
            return b""
        try:
            self._events.receive(piece)
            while not self.done and (data := self._events.next()) is not None:
                self._examine(parse_object(data), leaving)
        except (AnswerBlocked, UpstreamFailed, NotExaminable, NotStrictJson, EventTooLarge, ValueError) as exc:
            self._last = None
            leaving.append(self._cut(reason_of(exc)))
        return b"".join(leaving)

    def finish(self) -> bytes:
        """Return the event that ends the answer; what was held, examined, and an error where the upstream sent none."""
        if self.cut is not None:
            return b""
        if self.done and self._last is not None:
            return self._written(without_refused(self._last) if self.refused_calls else self._last)
        leaving: list[bytes] = []
        try:
            if self._means.rewrite:
                leaving += map(self._written, self._told.rests())
            leaving.append(self._cut(INVALID))
        except (AnswerBlocked, NotExaminable) as exc:
            leaving.append(self._cut(reason_of(exc)))
        return b"".join(leaving)

    @property
    def due_ns(self) -> int | None:
        """As of SseEnforcer."""
        return self._told.due_ns if self._timed and not self.done and self.cut is None else None

    def expire(self, now_ns: int, /) -> bytes:
        """Return what leaves in place of text that has waited too long. Calls wait until their item is done."""
        leaving: list[bytes] = []
        try:
            for event in self._told.expire(now_ns):
                self._put(event, leaving)
        except (AnswerBlocked, NotExaminable) as exc:
            leaving.append(self._cut(reason_of(exc)))
        return b"".join(leaving)

    def abort(self, code: str, /) -> bytes:
        """Return the error event for `code`. What was held is dropped."""
        self.cut = self.cut or Reason(code=code)
        if self._calls is not None:
            self._calls.taken()
        return typed_error_event(code, self._request_id, sequence_number=self._number)

    def _cut(self, reason: Reason, *, message: str | None = None) -> bytes:
        self.cut = reason
        if self._calls is not None:
            self._calls.taken()
        return typed_error_event(reason.code, self._request_id, sequence_number=self._number, message=message)

    def _examine(self, event: Event, leaving: list[bytes]) -> None:
        kind = event.get("type")
        if not isinstance(kind, str) or _KIND.fullmatch(kind) is None:
            raise NotExaminable
        if kind in _FAILED or event.get("error") is not None:
            raise UpstreamFailed
        ends = kind in ENDS
        told = self._told.examined(kind, event) if self._means.rewrite else self._seen(kind, event)
        for each in told:
            if ends and each["type"] == kind:
                self._last = each
            else:
                self._put(each, leaving)
        self.done = ends

    def _put(self, event: Event, leaving: list[bytes]) -> None:
        """Let an event leave, behind those that wait."""
        leaving += map(self._written, (event,) if self._calls is None else self._calls.put(event))

    @property
    def undecided(self) -> tuple[tuple[AskedCall, ...], ...]:
        """The calls that policy has to decide on before more may leave, each by itself."""
        return () if self._calls is None else self._calls.undecided

    def decided(self, verdicts: Sequence[Sequence[CallVerdict]]) -> bytes:
        """Return what may leave by `verdicts`, one list for each of `undecided`."""
        leaving: list[bytes] = []
        given = iter(verdicts)
        for item in () if self._calls is None else self._calls.taken():
            if not isinstance(item, UndecidedItem):
                leaving.append(self._written(item))
                continue
            (verdict,) = next(given)
            refused = verdict.refused
            self.refused_calls += (*((refused,) if refused else ()), *verdict.observed)
            if refused is not None and verdict.action is OnRefusal.CUT:
                self._last = None  # and no end of the answer follows, nor whatever ended it behind the call
                leaving.append(self._cut(refused.reason, message=refused.message))
                break
            leaving += map(self._written, item.left(refused))
        return b"".join(leaving)

    def _seen(self, kind: str, event: Event) -> Iterable[Event]:
        """Count what is found in an event, and return it as it is: no rule may change it."""
        known = self._told.knows(kind)
        if known:
            try:
                for _ in self._told.examined(kind, event):
                    pass
            except NotExaminable:
                known = False
        if not known:
            self._walk.value(event, ())
        return (event,)

    def _written(self, event: dict[str, Any]) -> bytes:
        if self._means.rewrite:
            event["sequence_number"] = self._number
        self._number += 1
        kind: str = event["type"]
        return b"event: " + kind.encode() + b"\ndata: " + canonical(event) + b"\n\n"
