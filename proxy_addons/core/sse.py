# SPDX-License-Identifier: Apache-2.0
"""A streamed answer, examined event by event: what leaves is written anew from what was examined.

Theory: every text of a stream (`delta.content` of a choice, say) comes in pieces spread over events. Each has a
redactor of its own, keyed by choice and field, and an event carries on what its redactors let go: a prefix of the
redaction of the whole text, however the upstream cut it. What a redactor still holds leaves in an event of its own
before the choice's `finish_reason`, or at the end.

Rules:

* `[DONE]` is given by `finish`, which the layer calls when the record is durable, never by `feed`.
* Arguments of tool calls are held until the choice ends, because they are JSON and only whole can be redacted as such.
* Whatever cannot be examined ends the stream with one error event and without `[DONE]`: broken JSON, another shape, an
  event too large, an error of the upstream (whose text stays here).
"""

import json
from typing import Any, Final

from policies.contracts.decision import Reason
from policies.contracts.snapshot import Dialect
from policies.redaction.engine import ActiveRules, AnswerBlocked, FindingCount, StreamRedactor
from policies.redaction.findings import Tally
from proxy_addons.core.answer_walk import AnswerWalk, Path
from proxy_addons.core.answers import coverage, drop_logprobs
from proxy_addons.core.exchange import Coverage
from proxy_addons.core.sse_events import EventReader, EventTooLarge
from proxy_addons.core.strict_json import NotStrictJson, parse_object
from proxy_addons.core.verdict_http import stream_error_event

_DONE: Final = b"data: [DONE]\n\n"
# The member of a choice that carries its pieces of text.
_TEXT_IN: Final = {Dialect.CHAT: "delta", Dialect.COMPLETIONS: "text"}
# Members of a delta that are said once, whole, and are not text in pieces.
_WHOLE: Final = frozenset({"role", "type", "id"})
# Arguments larger than this are none that a tool could be called with; holding more would let a model fill the memory.
MAX_ARGUMENTS_CHARS: Final = 65_536
_MAX_FIELDS: Final = 1_024


class _NotExaminable(Exception):
    """An event of a shape that is not its dialect's."""


class SseEnforcer:
    """The StreamEnforcer of OpenAI's chat and completion streams. Not to be used for more than one answer."""

    def __init__(self, *, dialect: Dialect, rules: ActiveRules, request_id: str, max_event_bytes: int) -> None:
        self.cut: Reason | None = None
        self.done = False
        self._text_in = _TEXT_IN.get(dialect)
        self._rules = rules
        self._request_id = request_id
        self._events = EventReader(max_event_bytes=max_event_bytes)
        self._tally = Tally()
        self._walk = AnswerWalk(rules, self._tally)
        self._choices: dict[int, _ChoiceText] = {}
        self._envelope: dict[str, Any] = {}
        self._logprobs_dropped = False

    @property
    def findings(self) -> tuple[FindingCount, ...]:
        return self._tally.findings

    @property
    def coverage(self) -> Coverage:
        return coverage(self._walk, logprobs_dropped=self._logprobs_dropped)

    def feed(self, piece: bytes, /) -> bytes:
        """Return the events that may leave now that `piece` arrived."""
        if self.cut is not None:
            return b""
        leaving: list[bytes] = []
        try:
            for data in self._events.receive(piece):
                if self.done:
                    break
                leaving += self._examined(data)
        except AnswerBlocked as blocked:
            leaving.append(self._cut(Reason(code="answer-blocked", policy=blocked.policy, rule=blocked.rule)))
        except _UpstreamFailed:
            leaving.append(self._cut(Reason(code="upstream-error")))
        except (_NotExaminable, NotStrictJson, EventTooLarge, ValueError):
            leaving.append(self._cut(Reason(code="upstream-invalid")))
        return b"".join(leaving)

    def finish(self) -> bytes:
        """Return what was held, examined, and `[DONE]`; an error event where the upstream ended without it."""
        if self.cut is not None:
            return b""
        try:
            leaving = [self._rest(index) for index in sorted(self._choices)]
        except (AnswerBlocked, ValueError) as exc:
            blocked = exc if isinstance(exc, AnswerBlocked) else None
            code = "answer-blocked" if blocked else "upstream-invalid"
            return self._cut(
                Reason(code=code, policy=blocked.policy if blocked else "", rule=blocked.rule if blocked else ""),
            )
        last = _DONE if self.done else self._cut(Reason(code="upstream-invalid"))
        return b"".join((*leaving, last))

    def abort(self, code: str, /) -> bytes:
        """Return the error event for `code`. What was held is dropped."""
        return self._cut(self.cut or Reason(code=code), said=code)

    def _cut(self, reason: Reason, said: str | None = None) -> bytes:
        self.cut = reason
        self._choices.clear()
        return stream_error_event(said or reason.code, self._request_id)

    def _examined(self, data: bytes) -> list[bytes]:
        if data == b"[DONE]":
            self.done = True
            return []
        event = parse_object(data)
        if event.get("error") is not None:
            raise _UpstreamFailed
        choices = event.pop("choices", None)
        if not isinstance(choices, list) or self._text_in is None:
            raise _NotExaminable
        self._logprobs_dropped |= self._rules.enforcing and drop_logprobs(_objects(choices))
        event = {key: self._walk.value(value, (key,)) for key, value in event.items()}
        self._envelope = {key: value for key, value in event.items() if key != "usage"}
        leaving: list[bytes] = []
        kept: list[dict[str, Any]] = []
        for choice in _objects(choices):
            carried = self._choice(choice, leaving)
            if carried is not None:
                kept.append(carried)
        if kept or not choices or event.get("usage") is not None:
            leaving.append(_event({**event, "choices": kept}))
        return leaving

    def _choice(self, choice: dict[str, Any], leaving: list[bytes]) -> dict[str, Any] | None:
        """Return what an event may carry of `choice`, None where nothing is left. What goes ahead of it is appended."""
        index = choice.get("index")
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < _MAX_FIELDS:
            raise _NotExaminable
        held = self._choices.setdefault(index, _ChoiceText(self._rules, self._tally, self._walk))
        text_in = str(self._text_in)
        piece = choice.pop(text_in, None)
        rest = {key: self._walk.value(value, ("choices", "*", key)) for key, value in choice.items()}
        released, changed = held.feed(piece, (text_in,))
        if choice.get("finish_reason") is not None:
            if released not in (None, "", {}):
                leaving.append(self._piece(index, released))
            leaving.append(self._rest(index))
            return {**rest, text_in: "" if text_in == "text" else {}}
        if released in (None, "", {}) and (changed or piece is None):
            return None
        return {**rest, text_in: released}

    def _rest(self, index: int) -> bytes:
        """Return the events with what is still held of the choice `index`."""
        return b"".join(self._piece(index, value) for value in self._choices[index].finish())

    def _piece(self, index: int, value: Any) -> bytes:
        choice = {"index": index, str(self._text_in): value, "finish_reason": None}
        return _event({**self._envelope, "choices": [choice]})


class _UpstreamFailed(Exception):
    """The upstream sent an error in the stream."""


class _ChoiceText:
    """The texts of one choice, each with its redactor, keyed by field."""

    def __init__(self, rules: ActiveRules, tally: Tally, walk: AnswerWalk) -> None:
        self._rules = rules
        self._tally = tally
        self._walk = walk
        self._redactors: dict[Path, StreamRedactor] = {}
        self._arguments: dict[Path, list[str]] = {}

    def feed(self, value: Any, path: Path) -> tuple[Any, bool]:
        """Return what may leave of a piece, and whether any of it was held or changed."""
        match value:
            case str():
                released = self._feed_text(value, path)
                return released, released != value
            case dict():
                return self._feed_members(value, path)
            case list():
                return self._feed_items(value, path)
            case _:
                return value, False

    def finish(self) -> list[Any]:
        """Return what was held, as pieces to put where the first level of the path says. The texts begin anew then."""
        rests = [(path, redactor.finish()) for path, redactor in self._redactors.items()]
        for path, pieces in self._arguments.items():
            rests.append((path, self._walk.arguments("".join(pieces), _shown(path))))
        self._redactors.clear()
        self._arguments.clear()
        return [_nested(path[1:], rest) for path, rest in rests if rest]

    def _feed_text(self, text: str, path: Path) -> str:
        if path[-1] in _WHOLE:
            return self._walk.text(text, _shown(path))
        if path[-2:] == ("function", "arguments"):
            pieces = self._arguments.setdefault(path, [])
            pieces.append(text)
            if sum(map(len, pieces)) > MAX_ARGUMENTS_CHARS:
                raise _NotExaminable
            return ""
        redactor = self._redactors.get(path)
        if redactor is None:
            if len(self._redactors) >= _MAX_FIELDS:
                raise _NotExaminable
            redactor = self._redactors[path] = self._rules.stream(self._tally)
            self._walk.scanned.add(".".join(_shown(path)))
        return redactor.feed(text)

    def _feed_members(self, members: dict[str, Any], path: Path) -> tuple[dict[str, Any], bool]:
        released: dict[str, Any] = {}
        changed = False
        for key, value in members.items():
            piece, differs = self.feed(value, (*path, self._walk.name(key)))
            changed |= differs
            if not (differs and piece in ("", {}, [])):
                released[key] = piece
        return released, changed

    def _feed_items(self, items: list[Any], path: Path) -> tuple[list[Any], bool]:
        released: list[Any] = []
        changed = False
        for position, item in enumerate(items):
            # Tool calls say which one they continue; their place in the event's list means nothing.
            number = item.get("index", position) if isinstance(item, dict) else position
            piece, differs = self.feed(item, (*path, f"#{number}"))
            changed |= differs
            if not (differs and (piece in ("", {}, []) or (isinstance(piece, dict) and piece.keys() <= {"index"}))):
                released.append(piece)
        return released, changed


def _nested(path: Path, text: str) -> Any:
    """Return `text` within the objects and lists that `path` names."""
    if not path:
        return text
    head, rest = path[0], path[1:]
    if not head.startswith("#"):
        return {head: _nested(rest, text)}
    inner = _nested(rest, text)
    return [{"index": int(head[1:]), **inner} if isinstance(inner, dict) else inner]


def _shown(path: Path) -> Path:
    """Return `path` as coverage shows it."""
    return ("choices", "*", *("*" if part.startswith("#") else part for part in path))


def _objects(values: list[Any]) -> list[dict[str, Any]]:
    if not all(isinstance(value, dict) for value in values):
        raise _NotExaminable
    return values


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
