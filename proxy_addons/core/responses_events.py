# SPDX-License-Identifier: Apache-2.0
"""The events of a responses stream: what each may say, and what leaves of it.

Rules:

* An event that tells a text whole (`*.done`, a part, an item, the answer) is written from what was let go of the
  pieces; what was still held of the text leaves as a piece before it.
* A function call is held until its item is done, because its arguments are JSON; then all of its events leave.
* Events and members that the dialect does not have, padding (`obfuscation`) and log probabilities are dropped.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from proxy_addons.core.answer_walk import ARGUMENTS
from proxy_addons.core.responses_head import ResponseHead
from proxy_addons.core.responses_items import CALL, MESSAGE, check_part, path_of, text_in
from proxy_addons.core.responses_spoken import Place, SpokenItem
from proxy_addons.core.responses_text import Means
from proxy_addons.core.sse_tree import MAX_INDEX, NotExaminable
from proxy_addons.core.streaming import first

Event = dict[str, Any]

ENDS: Final = frozenset({"response.completed", "response.incomplete"})
_ADDED: Final = "response.output_item.added"
_DONE: Final = "response.output_item.done"
_ARGUMENTS: Final = "response.function_call_arguments"
_KNOWN: Final = frozenset(
    {
        *("type", "sequence_number", "response", "item", "part", "annotation", "item_id", "output_index", "delta"),
        *("content_index", "summary_index", "annotation_index", "text", "refusal", "arguments", "name", "logprobs"),
    },
)


class _Stands(NamedTuple):
    """Where the texts of an event stand: in which list of the item, and which member says at which place."""

    within: str
    by: str


_IN_CONTENT: Final = _Stands("content", "content_index")
_IN_SUMMARY: Final = _Stands("summary", "summary_index")
# For each kind of text what its events begin with, and where it stands.
_TEXTS: Final[Mapping[str, tuple[str, _Stands]]] = {
    "output_text": ("response.output_text", _IN_CONTENT),
    "refusal": ("response.refusal", _IN_CONTENT),
    "reasoning_text": ("response.reasoning_text", _IN_CONTENT),
    "summary_text": ("response.reasoning_summary_text", _IN_SUMMARY),
}


class ToldResponse:
    """One streamed answer, event by event. `ended` when its last event was examined."""

    def __init__(self, means: Means) -> None:
        self.ended = False
        self._means = means
        self._head = ResponseHead(means)
        self._items: dict[int, SpokenItem] = {}
        self._dropped: set[str] = set()
        self._examine: dict[str, Callable[[Event], Iterator[Event]]] = {
            **dict.fromkeys(("response.created", "response.queued", "response.in_progress", *ENDS), self._answer),
            _ADDED: self._item_added,
            _DONE: self._item_done,
            "response.output_text.annotation.added": self._annotation,
            f"{_ARGUMENTS}.delta": self._arguments_delta,
            f"{_ARGUMENTS}.done": self._arguments_done,
        }
        for shape, (begins, stands) in _TEXTS.items():
            self._examine[f"{begins}.delta"] = _bound(self._delta, shape, stands)
            self._examine[f"{begins}.done"] = _bound(self._text_done, shape, stands)
        for begins, stands in (("content", _IN_CONTENT), ("reasoning_summary", _IN_SUMMARY)):
            self._examine[f"response.{begins}_part.added"] = _bound(self._part_added, stands)
            self._examine[f"response.{begins}_part.done"] = _bound(self._part_done, stands)

    def examined(self, kind: str, event: Event) -> Iterator[Event]:
        """Give the events that may leave now. Raises NotExaminable, AnswerBlocked."""
        examine = self._examine.get(kind)
        unknown = event.keys() - _KNOWN
        if examine is None or not unknown <= self._dropped:
            self._means.drop(("*",), {name: event[name] for name in unknown})
            if self._means.rewrite:  # said once; where nothing is dropped it is looked at each time
                self._dropped |= unknown
        return iter(()) if examine is None else examine(event)

    def knows(self, kind: str) -> bool:
        return kind in self._examine

    def rests(self) -> Iterator[Event]:
        """Give what was held of all texts, as pieces of them. Calls that are not whole are dropped."""
        for index, item in self._items.items():
            for place, rest in item.rests():
                yield from self._piece(index, item, place, rest)

    @property
    def due_ns(self) -> int | None:
        return first(item.due_ns for item in self._items.values())

    def expire(self, now_ns: int) -> Iterator[Event]:
        """Give what leaves in place of text that has waited too long. Raises AnswerBlocked."""
        for index, item in self._items.items():
            for place, left in item.expire(now_ns):
                yield from self._piece(index, item, place, left)

    def _answer(self, event: Event) -> Iterator[Event]:
        response = _object(event, "response")
        told = response.get("output") or []
        if not isinstance(told, list):
            raise NotExaminable
        ends, output = event["type"] in ENDS, []
        for place, sent in enumerate(told):
            index, item = self._told_before(place, sent)
            if item.written is not None:
                item.check_again(sent)
            elif ends:
                yield from self._finish(index, item, sent)
            else:
                raise NotExaminable
            output.append(item.written)
        if ends:
            yield from self.rests()
            self.ended = True
        yield {"type": event["type"], "response": {**self._head.of(response), "output": output}}

    def _told_before(self, place: int, sent: Any) -> tuple[int, SpokenItem]:
        """Return the item that the answer has at `place`: by its id, or where ids change, by the place."""
        sent_id = sent.get("id") if isinstance(sent, dict) else None
        for index, item in self._items.items():
            if sent_id is not None and item.sent_id == sent_id:
                return index, item
        if place not in self._items:
            raise NotExaminable
        return place, self._items[place]

    def _item_added(self, event: Event) -> Iterator[Event]:
        index = _number(event, "output_index")
        if index in self._items:
            raise NotExaminable
        item = self._items[index] = SpokenItem(_object(event, "item"), self._means)
        if item.kind != CALL:
            yield {"type": _ADDED, "output_index": index, "item": item.begun}

    def _item_done(self, event: Event) -> Iterator[Event]:
        index, item = self._item_of(event)
        if item.written is not None:
            raise NotExaminable
        yield from self._finish(index, item, _object(event, "item"))

    def _finish(self, index: int, item: SpokenItem, sent: dict[str, Any]) -> Iterator[Event]:
        for place, rest in item.finish(sent):
            yield from self._piece(index, item, place, rest)
        written: dict[str, Any] = item.written or {}
        if item.kind == CALL:
            at, arguments = {"item_id": item.id, "output_index": index}, written[ARGUMENTS]
            yield {"type": _ADDED, "output_index": index, "item": item.begun}
            yield {"type": f"{_ARGUMENTS}.delta", **at, "delta": arguments}
            yield {"type": f"{_ARGUMENTS}.done", **at, "name": written.get("name"), "arguments": arguments}
        yield {"type": _DONE, "output_index": index, "item": written}

    def _arguments_delta(self, event: Event) -> Iterator[Event]:
        _, item = self._item_of(event)
        item.add_arguments(_string(event, "delta"))
        return iter(())

    def _arguments_done(self, event: Event) -> Iterator[Event]:
        _, item = self._item_of(event)
        item.check_arguments(event.get("arguments"))
        return iter(())

    def _delta(self, event: Event, shape: str, stands: _Stands) -> Iterator[Event]:
        index, item = self._item_of(event)
        place = Place(stands.within, _number(event, stands.by), shape)
        self._drop_logprobs(event)
        return self._piece(index, item, place, item.text(place).feed(_string(event, "delta")))

    def _text_done(self, event: Event, shape: str, stands: _Stands) -> Iterator[Event]:
        index, item = self._item_of(event)
        place = Place(stands.within, _number(event, stands.by), shape)
        text, member = item.text(place), text_in(shape)
        yield from self._piece(index, item, place, text.close(_string(event, member)))
        self._drop_logprobs(event)
        yield _at(f"{_TEXTS[shape][0]}.done", index, item, place, **{member: text.left})

    def _part_added(self, event: Event, stands: _Stands) -> Iterator[Event]:
        """Tell that a part begins. What it says already is left to its pieces."""
        index, item = self._item_of(event)
        part = _object(event, "part")
        check_part(part, item.kind, stands.within)
        shape = part["type"]
        empty: dict[str, Any] = {"type": shape, text_in(shape): ""}
        if shape == "output_text":
            empty |= {"annotations": [], "logprobs": []}
        place = Place(stands.within, _number(event, stands.by), shape)
        yield _at(event["type"], index, item, place, part=empty)

    def _part_done(self, event: Event, stands: _Stands) -> Iterator[Event]:
        index, item = self._item_of(event)
        part, number = _object(event, "part"), _number(event, stands.by)
        rest, written = item.part(part, stands.within, number)
        place = Place(stands.within, number, written["type"])
        yield from self._piece(index, item, place, rest)
        yield _at(event["type"], index, item, place, part=written)

    def _annotation(self, event: Event) -> Iterator[Event]:
        index, item = self._item_of(event)
        place = Place("content", _number(event, "content_index"), "output_text")
        item.text(place)
        shown = item.annotation(event.get("annotation"))
        number = _number(event, "annotation_index")
        yield {**_at(event["type"], index, item, place), "annotation_index": number, "annotation": shown}

    def _piece(self, index: int, item: SpokenItem, place: Place, text: str) -> Iterator[Event]:
        if text:
            yield _at(f"{_TEXTS[place.shape][0]}.delta", index, item, place, delta=text)

    def _drop_logprobs(self, event: Event) -> None:
        if event.get("logprobs"):
            self._means.drop(path_of(MESSAGE, "content", "logprobs"), event["logprobs"])

    def _item_of(self, event: Event) -> tuple[int, SpokenItem]:
        index = _number(event, "output_index")
        if index not in self._items:
            raise NotExaminable
        return index, self._items[index]


def _bound(examine: Callable[..., Iterator[Event]], *more: Any) -> Callable[[Event], Iterator[Event]]:
    return lambda event: examine(event, *more)


def _at(kind: str, index: int, item: SpokenItem, place: Place, **more: Any) -> Event:
    """Return an event about the text, or the part, at `place`."""
    by = "summary_index" if place.within == "summary" else "content_index"
    event: Event = {"type": kind, "item_id": item.id, "output_index": index, by: place.number, **more}
    if place.shape == "output_text" and ("delta" in more or "text" in more):
        event["logprobs"] = []
    return event


def _object(event: Event, name: str) -> dict[str, Any]:
    value = event.get(name)
    if not isinstance(value, dict):
        raise NotExaminable
    return value


def _string(event: Event, name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str):
        raise NotExaminable
    return value


def _number(event: Event, name: str) -> int:
    value = event.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MAX_INDEX:
        raise NotExaminable
    return value
