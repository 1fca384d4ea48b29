# SPDX-License-Identifier: Apache-2.0
"""Streamed answers of the responses dialect for every suite: told as a server tells them, and read as a client reads."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from policies.redaction.engine import ActiveRules
from policies.redaction.findings import Tally
from proxy_addons.core.answer_walk import AnswerWalk
from proxy_addons.core.responses_stream import ResponsesEnforcer
from proxy_addons.core.responses_text import Kept, Means
from proxy_addons.core.restoring import Shared
from proxy_addons.core.sse_calls import Allowance
from tests.streams import MAX_EVENT_BYTES, rules

Event = dict[str, Any]

# For each kind of text what its events begin with, the list it stands in, the member of its place, and that of the text.
TEXTS = {
    "output_text": ("response.output_text", "content", "content_index", "text"),
    "refusal": ("response.refusal", "content", "content_index", "refusal"),
    "reasoning_text": ("response.reasoning_text", "content", "content_index", "text"),
    "summary_text": ("response.reasoning_summary_text", "summary", "summary_index", "text"),
}


def part(shape: str, text: str) -> dict[str, Any]:
    beside: dict[str, Any] = {"annotations": [], "logprobs": []} if shape == "output_text" else {}
    return {"type": shape, TEXTS[shape][3]: text, **beside}


def item_of(shape: str, *texts: str, index: int = 0) -> dict[str, Any]:
    """Return an item whose parts, all of one kind, have these texts."""
    parts = [part(shape, text) for text in texts]
    if shape in ("output_text", "refusal"):
        return {"id": f"msg_{index}", "type": "message", "role": "assistant", "status": "completed", "content": parts}
    thoughts: dict[str, Any] = {"id": f"rs_{index}", "type": "reasoning", "summary": []}
    return {**thoughts, TEXTS[shape][1]: parts}


def spoken(shape: str, *texts: Iterable[str], index: int = 0) -> list[Event]:
    """Return the events of an item; each of `texts` comes in pieces, and is a part of its own."""
    begins, within, by, member = TEXTS[shape]
    pieces = [list(text) for text in texts]
    item = item_of(shape, *map("".join, pieces), index=index)
    told: list[Event] = [
        {"type": "response.output_item.added", "output_index": index, "item": {**item, within: []}},
    ]
    for place, said in enumerate(pieces):
        at = {"item_id": item["id"], "output_index": index, by: place}
        stem = "response.reasoning_summary_part" if within == "summary" else "response.content_part"
        told += [
            {"type": f"{stem}.added", **at, "part": part(shape, "")},
            *({"type": f"{begins}.delta", **at, "delta": piece} for piece in said),
            {"type": f"{begins}.done", **at, member: "".join(said)},
            {"type": f"{stem}.done", **at, "part": part(shape, "".join(said))},
        ]
    return [*told, {"type": "response.output_item.done", "output_index": index, "item": item}]


def called(pieces: Iterable[str], *, index: int = 0, name: str = "pay") -> list[Event]:
    said = list(pieces)
    item = {
        "id": f"fc_{index}",
        "type": "function_call",
        "status": "completed",
        "call_id": "call_1",
        "name": name,
        "arguments": "".join(said),
    }
    at = {"item_id": item["id"], "output_index": index}
    begun = {**item, "status": "in_progress", "arguments": ""}
    return [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        *({"type": "response.function_call_arguments.delta", **at, "delta": piece} for piece in said),
        {"type": "response.function_call_arguments.done", **at, "name": name, "arguments": "".join(said)},
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def response(*output: dict[str, Any], status: str = "completed", **more: Any) -> dict[str, Any]:
    head = {"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "m", "error": None}
    return {**head, "output": list(output), "tools": [], "metadata": {}, "usage": None, **more}


def answered(*items: list[Event], end: str = "completed", **more: Any) -> list[Event]:
    """Return all events of an answer, in order and numbered."""
    wholes = [each[-1]["item"] for each in items]
    told = [
        {"type": "response.created", "response": response(status="in_progress", **more)},
        {"type": "response.in_progress", "response": response(status="in_progress", **more)},
        *(event for item in items for event in item),
        {"type": f"response.{end}", "response": response(*wholes, status=end, **more)},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(told)]


def wire(*told: Event, end: str = "\n", ascii_only: bool = False) -> bytes:
    lines = [(each["type"], json.dumps(each, ensure_ascii=ascii_only)) for each in told]
    return "".join(f"event: {kind}{end}data: {line}{end}{end}" for kind, line in lines).encode()


def stream(active: ActiveRules | None = None) -> ResponsesEnforcer:
    return ResponsesEnforcer(
        rules=rules() if active is None else active, request_id="req_1", max_event_bytes=MAX_EVENT_BYTES
    )


def means(active: ActiveRules | None = None) -> Means:
    active, shared = rules() if active is None else active, Shared(Tally())
    return Means(active, AnswerWalk(active, shared.tally), shared, Kept(MAX_EVENT_BYTES), Allowance())


def left(pieces: Iterable[bytes], enforcer: ResponsesEnforcer | None = None) -> bytes:
    """Return all that left of an answer that came in `pieces`."""
    enforcer = enforcer or stream()
    return b"".join([*map(enforcer.feed, pieces), enforcer.finish()])


def events(output: bytes) -> list[Event]:
    """Return the events of an output, each of which has a name, data of that type, and a number of its own."""
    blocks = output.split(b"\n\n")
    assert blocks.pop() == b"", "an output ends with the end of an event"
    read = []
    for block in blocks:
        name, data = block.split(b"\n")
        read.append(json.loads(data.removeprefix(b"data: ")))
        assert name == b"event: " + read[-1]["type"].encode()
    numbers = [each["sequence_number"] for each in read]
    assert numbers == sorted(set(numbers))
    return read


def texts(told: Iterable[Event]) -> dict[str, str]:
    """Return what a client puts together of the pieces: for each item, kind of text and place, a text."""
    put: defaultdict[str, str] = defaultdict(str)
    for each in told:
        kind, _, what = each["type"].rpartition(".")
        if what == "delta":
            put[_path(kind, each)] += each["delta"]
    return dict(put)


def wholes(told: Iterable[Event]) -> dict[str, set[str]]:
    """Return every text that is told whole, from whatever event, by the same paths."""
    said: defaultdict[str, set[str]] = defaultdict(set)
    for each in told:
        kind, _, what = each["type"].rpartition(".")
        if what == "done":
            for member in ("text", "refusal", "arguments"):
                if member in each:
                    said[_path(kind, each)].add(each[member])
        if "item" in each and what == "done":
            _add(each["output_index"], each["item"], said)
        for index, item in enumerate(each.get("response", {}).get("output", ())):
            _add(index, item, said)
    return dict(said)


def _add(index: int, item: dict[str, Any], said: defaultdict[str, set[str]]) -> None:
    if "arguments" in item:
        said[f"{index}.function_call_arguments.0"].add(item["arguments"])
    for shape, (begins, within, _, member) in TEXTS.items():
        for place, each in enumerate(item.get(within) or ()):
            if each["type"] == shape:
                said[f"{index}.{begins.removeprefix('response.')}.{place}"].add(each[member])


def _path(kind: str, event: Event) -> str:
    place = event.get("content_index", event.get("summary_index", 0))
    return f"{event['output_index']}.{kind.removeprefix('response.')}.{place}"


def error_of(output: bytes) -> str | None:
    """Return the code of the error event that an output ends with, if it does."""
    last = events(output)[-1] if output else {}
    return last["code"] if last.get("type") == "error" else None
