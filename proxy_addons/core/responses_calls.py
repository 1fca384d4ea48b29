# SPDX-License-Identifier: Apache-2.0
"""The function calls of a responses answer: each is decided by itself, plain and streamed, before it leaves.

A call is an item of its own. One that is refused does not leave, or a message leaves in its place that says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from policies.contracts.tools import AskedCall, OnRefusal, RefusedCall
from policies.evaluation.tool_calls import CallVerdict
from proxy_addons.core.responses_items import CALL, MESSAGE
from proxy_addons.core.strict_json import canonical
from proxy_addons.core.tool_decisions import arguments_of

Event = dict[str, Any]
_ADDED: Final = "response.output_item.added"
_DONE: Final = "response.output_item.done"


def call_in(item: Any) -> AskedCall | None:
    """Return the call that an item is, None where it is none. Each is a question of its own, and the first in it."""
    if not isinstance(item, dict) or item.get("type") != CALL:
        return None
    name = item.get("name")
    named = name if isinstance(name, str) and name else None
    return AskedCall(index=0, name=named, arguments=arguments_of(item.get("arguments")))


def message_for(item: dict[str, Any], refused: RefusedCall) -> dict[str, Any]:
    """Return the message that leaves in place of a refused call."""
    text = f"[tool call refused: {refused.reason.code}]"
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    told = {"type": MESSAGE, "role": "assistant", "status": "completed", "content": [part]}
    return {"id": item["id"], **told} if "id" in item else told


@dataclass(frozen=True, slots=True, kw_only=True)
class UndecidedItem:
    """A call of a stream with the events that tell it, of which the last has the item."""

    call: AskedCall
    events: tuple[Event, ...]

    def left(self, refused: RefusedCall | None) -> Iterable[Event]:
        """Return the events that may leave. Of a refused call, `item` becomes what leaves in its place, or nothing."""
        if refused is None:
            return self.events
        done = self.events[-1]
        if refused.action != OnRefusal.REPLACE:
            done["item"].clear()
            return ()
        message = message_for(done["item"], refused)
        done["item"].clear()
        done["item"].update(message)
        at = {"output_index": done["output_index"]}
        (part,) = message["content"]
        told = {"item_id": message.get("id"), **at, "content_index": 0}
        return (
            {"type": _ADDED, **at, "item": {**message, "status": "in_progress", "content": []}},
            {"type": "response.content_part.added", **told, "part": {**part, "text": ""}},
            {"type": "response.output_text.delta", **told, "delta": part["text"], "logprobs": []},
            {"type": "response.output_text.done", **told, "text": part["text"], "logprobs": []},
            {"type": "response.content_part.done", **told, "part": part},
            done,
        )


class CallEvents:
    """Puts the events of a stream in order behind calls that are not decided yet.

    `strict`: a call may be refused, so that all of its events wait, which come in a row then. Else only the last does.
    """

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._queue: list[Event | UndecidedItem] = []
        self._call: list[Event] = []

    @property
    def undecided(self) -> tuple[tuple[AskedCall, ...], ...]:
        """The calls to be decided, each by itself."""
        return tuple((each.call,) for each in self._queue if isinstance(each, UndecidedItem))

    def put(self, event: Event) -> list[Event]:
        """Take an event that may leave once everything before it may. Return those that may leave now."""
        kind, item = event["type"], event.get("item")
        if self._strict and (self._call or (kind == _ADDED and call_in(item) is not None)):
            self._call.append(event)
            if kind != _DONE:
                return []
        call = call_in(item) if kind == _DONE else None
        if call is not None:
            self._queue.append(UndecidedItem(call=call, events=tuple(self._call or (event,))))
            self._call.clear()
        elif self._queue:
            self._queue.append(event)
        else:
            return [event]
        return []

    def taken(self) -> list[Event | UndecidedItem]:
        """Return all that waits, and hold nothing any more."""
        taken, self._queue = self._queue, []
        return taken


def without_refused(event: Event) -> Event:
    """Return the event that ends an answer without the items that did not leave, which `left` has emptied."""
    response = event["response"]
    return {**event, "response": {**response, "output": [item for item in response["output"] if item]}}


@dataclass(slots=True)
class HeldResponse:
    """A plain answer, redacted, of which no call was decided yet. `told` is what was refused, once it was."""

    value: dict[str, Any]
    calls: list[tuple[int, AskedCall]]
    told: tuple[RefusedCall, ...] = ()

    @classmethod
    def of(cls, value: dict[str, Any]) -> "HeldResponse | None":
        calls = [(at, call) for at, item in enumerate(value["output"]) if (call := call_in(item)) is not None]
        return cls(value, calls) if calls else None

    @property
    def undecided(self) -> tuple[tuple[AskedCall, ...], ...]:
        return tuple((call,) for _, call in self.calls)

    def decided(self, verdicts: Sequence[Sequence[CallVerdict]]) -> bytes | RefusedCall:
        """Return what may leave by `verdicts`, one list for each of `undecided`, or the call that ends it all."""
        output = list(self.value["output"])
        for (at, _), (verdict,) in zip(self.calls, verdicts, strict=True):
            refused = verdict.refused
            self.told += (*((refused,) if refused else ()), *verdict.observed)
            if refused is None:
                continue
            if verdict.action is OnRefusal.CUT:
                return refused
            output[at] = message_for(output[at], refused) if verdict.action is OnRefusal.REPLACE else None
        return canonical({**self.value, "output": [item for item in output if item is not None]})
