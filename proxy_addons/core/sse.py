# SPDX-License-Identifier: Apache-2.0
"""A streamed answer, examined event by event: what leaves is written anew from what was examined.

Theory: every text of a stream (`delta.content` of a choice, say) comes in pieces spread over events. Each has a
redactor of its own, keyed by choice and field, and an event carries on what its redactors let go: a prefix of the
redaction of the whole text, however the upstream cut it. What a redactor still holds leaves in an event of its own
before the choice's `finish_reason`, or at the end.

Rules:

* `[DONE]` is given by `finish`, which the layer calls when the record is durable, never by `feed`.
* Events that differ from an earlier one in nothing but a text are known by their bytes (`sse_template.py`); the texts
  of those that came together go to the redactor together.
* Tool calls are held until the choice ends, because their arguments are JSON and only whole can be redacted as such.
  Where policy decides on them (`judged`), they and all behind them wait for `decided`.
* A choice that has given its `finish_reason` has no more text: the end of what was held would be no end otherwise.
* Id, model and the like are said as the first event said them, since texts could be spelt by changing them.
* Where a rule may change the answer, members that the dialect does not have are dropped, and so are log probabilities
  and token ids, which spell the text once more.
* Whatever cannot be examined ends the stream with one error event and without `[DONE]`: broken JSON, another shape, an
  event too large, an error of the upstream (whose text stays here).
"""

from collections.abc import Sequence
from typing import Any, Final

from policies.contracts.decision import Reason
from policies.contracts.snapshot import Dialect
from policies.contracts.tools import AskedCall, RefusedCall
from policies.evaluation.tool_calls import CallVerdict
from policies.redaction.engine import ActiveRules, AnswerBlocked, FindingCount
from policies.redaction.findings import Tally
from proxy_addons.core.answer_walk import AnswerWalk
from proxy_addons.core.coverage import Coverage
from proxy_addons.core.restoring import Shared
from proxy_addons.core.sse_calls import Allowance
from proxy_addons.core.sse_choice import NOTHING, ChoiceText, choice_index, finish_reason_of
from proxy_addons.core.sse_decisions import DecisionQueue, Leaving, Undecided, event
from proxy_addons.core.sse_envelope import Envelope
from proxy_addons.core.sse_events import EventReader, EventTooLarge
from proxy_addons.core.sse_template import Template, marked, spoken_in
from proxy_addons.core.sse_tree import NotExaminable
from proxy_addons.core.streaming import first
from proxy_addons.core.strict_json import NotStrictJson, parse_object
from proxy_addons.core.verdict_http import stream_error_event
from proxy_addons.core.why_cut import INVALID, UpstreamFailed, reason_of

_DONE: Final = b"[DONE]"
# The member of a choice that carries its pieces of text, and its type.
_TEXT_IN: Final[dict[Dialect, tuple[str, type]]] = {Dialect.CHAT: ("delta", dict), Dialect.COMPLETIONS: ("text", str)}
# Beyond this many choices and fields, or changes of their form, events go the whole way.
_MAX_TEMPLATES: Final = 8
_MAX_LEARNT: Final = 32


class SseEnforcer:
    """The StreamEnforcer of OpenAI's chat and completion streams. Not to be used for more than one answer.

    `judged`: its tool calls are decided on; `strict`: and what is decided may change the answer.
    """

    def __init__(
        self,
        *,
        dialect: Dialect,
        rules: ActiveRules,
        request_id: str,
        max_event_bytes: int,
        shared: Shared | None = None,
        judged: bool = False,
        strict: bool = False,
    ) -> None:
        self.cut: Reason | None = None
        self.done = False
        self._text_in, self._text_type = _TEXT_IN[dialect]
        self._rules = rules
        self._request_id = request_id
        self._events = EventReader(max_event_bytes=max_event_bytes)
        self._tally, self._restoring = shared or Shared(Tally())
        self._walk = AnswerWalk(rules, self._tally, strict=strict)
        self._judged = judged
        self._timed = rules.terms.hold.max_ms is not None
        self._queue = DecisionQueue()
        self.refused_calls: tuple[RefusedCall, ...] = ()
        self._allowance = Allowance()
        self._choices: dict[int, ChoiceText] = {}
        self._envelope = Envelope(self._walk, self._text_in)
        self._templates: list[Template] = []
        self._learnt = 0

    @property
    def findings(self) -> tuple[FindingCount, ...]:
        return self._tally.findings

    @property
    def coverage(self) -> Coverage:
        return self._walk.coverage

    def feed(self, piece: bytes, /) -> bytes:
        """Return the events that may leave now that `piece` arrived."""
        leaving: Leaving = []
        if self.cut is not None or self.done:
            return b""
        try:
            self._events.receive(piece)
            self._recognised(leaving)
            while (data := self._events.next()) is not None:
                if data.strip() == _DONE:
                    self.done = True
                    break
                if not self._known(data, leaving):
                    self._go_the_whole_way(data, leaving)
                self._recognised(leaving)
        except (AnswerBlocked, UpstreamFailed, NotExaminable, NotStrictJson, EventTooLarge, ValueError) as exc:
            leaving.append(self._cut(reason_of(exc)))
        return self._queue.put(leaving)

    @property
    def undecided(self) -> tuple[tuple[AskedCall, ...], ...]:
        """The calls that policy has to decide on before more may leave, by choice."""
        return self._queue.undecided if self._queue.waits else ()

    def decided(self, verdicts: Sequence[Sequence[CallVerdict]]) -> bytes:
        """Return what may leave by `verdicts`, one list for each of `undecided`."""
        left, self.refused_calls, cut = self._queue.decided(verdicts)
        # The refusal comes before whatever ended the stream behind it.
        return left if cut is None else left + self._cut(cut.reason, message=cut.message)

    def finish(self) -> bytes:
        """Return what was held, examined, and `[DONE]`; an error event where the upstream ended without it."""
        if self.cut is not None:
            return b""
        # An end of file after the last line ends that line and its event, for this one event that says nothing.
        self.done = self.done or self._events.unfinished().strip() == _DONE
        leaving: Leaving = []
        try:
            for index in sorted(self._choices):
                leaving += (self._rest(index), *self._undecided(index, closing=None))
        except (AnswerBlocked, NotExaminable, ValueError) as exc:
            self._queue.taken()
            return self._cut(reason_of(exc))
        leaving.append(b"data: [DONE]\n\n" if self.done else self._cut(INVALID))
        return self._queue.put(leaving)

    @property
    def due_ns(self) -> int | None:
        return first(text.due_ns for text in self._choices.values()) if self._timed and not self.done else None

    def expire(self, now_ns: int, /) -> bytes:
        """Return what leaves in place of text that has waited too long. Calls wait as long as their choice takes."""
        leaving: Leaving = []
        try:
            for index, choice in self._choices.items():
                leaving += [self._piece(index, left) for left in choice.expire(now_ns)]
        except (AnswerBlocked, NotExaminable) as exc:
            leaving.append(self._cut(reason_of(exc)))
        return self._queue.put(leaving)

    def abort(self, code: str, /) -> bytes:
        """Return the error event for `code`. What was held is dropped."""
        self._cut(self.cut or Reason(code=code))
        self._queue.taken()
        return stream_error_event(code, self._request_id)

    def _cut(self, reason: Reason, *, message: str | None = None) -> bytes:
        self.cut = reason
        self._choices.clear()
        return stream_error_event(reason.code, self._request_id, message=message)

    def _recognised(self, leaving: Leaving) -> None:
        """Examine the events that come next as long as their form is known. What may leave of them is appended."""
        again = True
        while again:
            again = False
            for template in self._templates:
                if texts := self._events.run(template):
                    again = True
                    self._say(template, texts, leaving)

    def _known(self, data: bytes, leaving: Leaving) -> bool:
        """Examine an event whose bytes were cut, if its form is known, and return whether it is."""
        for template in self._templates:
            if text := template.text(data):
                self._say(template, [text], leaving)
                return True
        return False

    def _go_the_whole_way(self, data: bytes, leaving: Leaving) -> None:
        found = self._tally.total
        given = parse_object(data)
        leaving += self._examined(given)
        if found == self._tally.total and self._learnt < _MAX_LEARNT:
            self._learn(data, given)

    def _say(self, template: Template, texts: list[str], leaving: Leaving) -> None:
        pieces: list[str] = []
        try:
            for piece in self._choices[template.index].feed_run(texts, template.path):
                if piece:
                    pieces.append(piece)  # noqa: PERF401  # what came before an exception is wanted
        finally:  # a rule may block, and what stands before the finding leaves nevertheless
            if pieces:
                leaving.append(template.written(pieces))

    def _learn(self, data: bytes, given: dict[str, Any]) -> None:
        """Remember the form of an event that was examined, and in which nothing was found."""
        spoken = spoken_in(given, self._text_in)
        if spoken is None:
            return
        self._learnt += 1
        path, text = spoken
        (choice,) = given["choices"]
        index, said = choice["index"], choice[self._text_in]
        held = self._choices[index]
        # The rest of what it said is constant: it leaves now as it left before, and no redactor takes notice.
        beside = held.feed({key: value for key, value in said.items() if key != path[0]}) if path else None
        shown = marked({} if beside is NOTHING else beside, path)
        template = Template.of(
            data,
            text,
            end=self._events.end,
            index=index,
            path=path,
            event={**given, "choices": [{**choice, self._text_in: marked(said, path)}]},
            written=event(
                {
                    **self._envelope.of_event(given),
                    "choices": [{**self._envelope.of_choice(index, choice), self._text_in: shown}],
                }
            ),
        )
        if template is not None:
            others = [known for known in self._templates if (known.index, known.path) != (index, path)]
            self._templates = [template, *others][:_MAX_TEMPLATES]

    def _examined(self, given: dict[str, Any]) -> Leaving:
        if given.get("error") is not None:
            raise UpstreamFailed
        choices = given.get("choices")
        if not isinstance(choices, list):
            raise NotExaminable
        head = self._envelope.of_event(given)
        leaving: Leaving = []
        kept: list[dict[str, Any]] = []
        seen: set[int] = set()
        for choice in choices:
            index = choice_index(choice)
            if index in seen:
                raise NotExaminable  # its second part would have to leave behind the first, and in another event
            seen.add(index)
            kept += self._choice(index, choice, leaving)
        if kept or not choices or head.get("usage") is not None:
            leaving.append(event({**head, "choices": kept}))
        return leaving

    def _choice(self, index: int, choice: dict[str, Any], leaving: Leaving) -> list[dict[str, Any]]:
        """Return what the event may carry of `choice`, if anything. What goes ahead of the event is appended."""
        held = self._choices.get(index)
        if held is None:
            held = self._choices[index] = ChoiceText(
                path=self._text_in,
                rules=self._rules,
                shared=Shared(self._tally, self._restoring),
                walk=self._walk,
                allowance=self._allowance,
                judged=self._judged,
            )
        piece = choice.get(self._text_in)
        if piece is not None and not isinstance(piece, self._text_type):
            raise NotExaminable
        released = NOTHING if piece is None else held.feed(piece)
        carried = self._envelope.of_choice(index, choice)
        finish_reason = finish_reason_of(choice, held.finish_reason)
        if finish_reason is None:
            return [] if released is NOTHING else [{**carried, self._text_in: released}]
        if released is not NOTHING and released != self._text_type():
            leaving.append(self._piece(index, released))
        leaving.append(self._rest(index))
        held.finish_reason = finish_reason
        shown = self._walk.text(finish_reason, ("choices", "*", "finish_reason"))
        if undecided := self._undecided(index, closing={**carried, "finish_reason": shown}):
            leaving += undecided
            return []
        return [{**carried, self._text_in: self._text_type(), "finish_reason": shown}]

    def _undecided(self, index: int, *, closing: dict[str, Any] | None) -> list[Undecided]:
        """Return the calls of the choice `index` that policy has to decide on, if there are any."""
        held = self._choices[index]
        if not self._judged or (members := held.calls()) is None:
            return []
        said = dict(self._envelope.said)
        return self._queue.expected(members, index=index, said=said, spoke=held.spoke, closing=closing)

    def _rest(self, index: int) -> bytes:
        """Return the events with what is still held of the choice `index`."""
        return b"".join(self._piece(index, value) for value in self._choices[index].finish())

    def _piece(self, index: int, value: Any) -> bytes:
        choice = {"index": index, self._text_in: value, "finish_reason": None}
        return event({**self._envelope.said, "choices": [choice]})
