# SPDX-License-Identifier: Apache-2.0
"""Streamed answers for every suite: made of events, fed to an enforcer, and put together again as a client would."""

import functools
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from policies.contracts.decision import Mode
from policies.contracts.snapshot import Dialect, RedactionAction, RedactionPolicy, RedactionRule
from policies.detectors.catalogue import OPT_IN
from policies.detectors.contract import Detector
from policies.detectors.registry import DETECTORS
from policies.redaction.engine import ActiveRules, Redaction
from policies.redaction.examination import examine
from policies.redaction.findings import Tally
from proxy_addons.core.sse import SseEnforcer

CARD, EMAIL, KEY = "4111 1111 1111 1111", "alice@example.com", "AKIAIOSFODNN7EXAMPLE"
MAX_EVENT_BYTES = 100_000


@functools.cache
def rules(
    action: RedactionAction = RedactionAction.REPLACE,
    *,
    mode: Mode = Mode.ENFORCE,
    detectors: tuple[str, ...] = ("all",),
) -> ActiveRules:
    rule = RedactionRule(id="rule", detectors=detectors, action=action)
    policy = RedactionPolicy(id="policy", version="1", mode=mode, operations=(), models=(), rules=(rule,))
    return Redaction.of([policy]).rules_for(["policy"] if mode is Mode.ENFORCE else [])


def forbidden(detector: Detector, sample: str) -> list[str]:
    """Return what of a detector's sample must not leave."""
    active = rules(detectors=(detector.name,))
    return [sample[each.start : each.end] for each in examine(active, sample, Tally()).findings]


def one_of_each_group() -> list[str]:
    """Return for each group of detectors that are looked for without being named what one of them finds."""
    by_group = {detector.group: detector for detector in reversed(DETECTORS) if detector.group not in OPT_IN}
    return [detector.finds[0] for detector in by_group.values()]


def stream(active: ActiveRules | None = None, dialect: Dialect = Dialect.CHAT) -> SseEnforcer:
    return SseEnforcer(
        dialect=dialect,
        rules=rules() if active is None else active,
        request_id="req_1",
        max_event_bytes=MAX_EVENT_BYTES,
    )


def event(*choices: dict[str, Any], **more: Any) -> dict[str, Any]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**head, "choices": list(choices), **more}


def said(delta: dict[str, Any], *, index: int = 0, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish, **more}


def wire(*events: Any, end: str = "\n", ascii_only: bool = False, done: bool = True) -> bytes:
    lines = [json.dumps(each, ensure_ascii=ascii_only) for each in events] + (["[DONE]"] if done else [])
    return "".join(f"data: {line}{end}{end}" for line in lines).encode()


def by_length(text: str, length: int) -> list[str]:
    return [text[at : at + length] for at in range(0, len(text), length)] or [""]


def left(pieces: Iterable[bytes], enforcer: SseEnforcer) -> list[bytes]:
    """Return what left after each piece, and at the end."""
    return [*(enforcer.feed(piece) for piece in pieces), enforcer.finish()]


def events(output: bytes) -> list[Any]:
    """Return the events of an output: JSON values, and the text `[DONE]`."""
    blocks = output.split(b"\n\n")
    assert blocks.pop() == b"", "an output ends with the end of an event"
    assert all(block.startswith(b"data: ") and b"\n" not in block and b"\r" not in block for block in blocks)
    lines = [block.removeprefix(b"data: ") for block in blocks]
    return ["[DONE]" if line == b"[DONE]" else json.loads(line) for line in lines]


def texts(output: Iterable[Any]) -> dict[str, str]:
    """Return what a client puts together of the events of `output`: for each choice and field, a text."""
    put: defaultdict[str, str] = defaultdict(str)

    def add(value: Any, path: str) -> None:
        match value:
            case str():
                put[path] += value
            case dict():
                for key, item in value.items():
                    add(item, f"{path}.{key}" if path else key)
            case list():
                for place, item in enumerate(value):
                    add(item, f"{path}[{item.get('index', place) if isinstance(item, dict) else place}]")

    for each in output:
        if isinstance(each, dict):
            add(each, "")
    return dict(put)


def told(output: bytes) -> tuple[dict[str, str], list[Any]]:
    """Return what a client was told, whatever the events its texts were cut into.

    That is every text, and in their order the events that say something else, each with what its choices had said before.
    Nulls, empty texts and a role said again say nothing.
    """
    so_far: dict[str, str] = {}
    others = []
    roles = set()
    for each in events(output):
        choices = each.get("choices", []) if isinstance(each, dict) else []
        deltas = [(choice["index"], key, said) for choice in choices for key, said in choice.get("delta", {}).items()]
        new_roles = {(index, said) for index, key, said in deltas if key == "role"} - roles
        carries_text = all(isinstance(said, str) or said is None for _, _, said in deltas)
        if not choices or each.get("usage") or any(choice["finish_reason"] for choice in choices):
            carries_text = False
        if new_roles or not carries_text:
            said_before = tuple(f"choices[{choice['index']}]" for choice in choices)
            others.append((each, {path: text for path, text in so_far.items() if path.startswith(said_before)}))
            roles |= new_roles
        else:
            for path, text in texts([{"choices": choices}]).items():
                if text and not path.endswith(".role"):
                    so_far[path] = so_far.get(path, "") + text
    return so_far, others


def text_of(output: bytes, field: str = "choices[0].delta.content") -> str:
    return texts(events(output)).get(field, "")


def error_of(output: bytes) -> str | None:
    """Return the code of the error event that an output ends with, if it does."""
    last = events(output)[-1] if output else None
    return last["error"]["code"] if isinstance(last, dict) and "error" in last else None
