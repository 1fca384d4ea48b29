# SPDX-License-Identifier: Apache-2.0
"""Items of a responses answer: which of them can be examined, and what of them leaves.

Rules: messages, function calls and reasoning are examined, with the kinds of parts that each has. Others act, or carry
what no detector reads; an answer with one is none where a rule may change it. What spells the text once more leaves
empty: log probabilities, and reasoning that is encrypted, of which nobody can say what it says.
"""

from collections.abc import Mapping
from typing import Any, Final

from proxy_addons.core.answer_walk import AnswerWalk, Path
from proxy_addons.core.sse_tree import NotExaminable

MESSAGE: Final = "message"
CALL: Final = "function_call"
REASONING: Final = "reasoning"

# For each kind of item the lists of parts it has, and the kinds of parts in each.
LISTS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    MESSAGE: {"content": frozenset({"output_text", "refusal"})},
    REASONING: {"summary": frozenset({"summary_text"}), "content": frozenset({"reasoning_text"})},
    CALL: {},
}


def kind_of(item: Any) -> str:
    """Return the kind of an item. Raises NotExaminable for one that nobody can examine."""
    kind = item.get("type") if isinstance(item, dict) else None
    if not isinstance(kind, str) or kind not in LISTS:
        raise NotExaminable
    return kind


def parts_of(item: Mapping[str, Any], kind: str) -> list[tuple[str, int, dict[str, Any]]]:
    """Return the parts of an item, each with its list and its place there. Raises NotExaminable."""
    found: list[tuple[str, int, dict[str, Any]]] = []
    for name in LISTS[kind]:
        parts = item.get(name)
        if not isinstance(parts, list | None):
            raise NotExaminable
        for place, part in enumerate(parts or ()):
            check_part(part, kind, name)
            found.append((name, place, part))
    return found


def check_part(part: Any, kind: str, name: str) -> None:
    """Raise NotExaminable unless `part` is of a kind that items of this kind have in the list `name`, with a text."""
    shape = part.get("type") if isinstance(part, dict) else None
    shapes = LISTS[kind].get(name, frozenset())
    if not isinstance(shape, str) or shape not in shapes or not isinstance(part.get(text_in(shape)), str):
        raise NotExaminable


def text_in(shape: str) -> str:
    """Return the member in which a part of this kind has its text."""
    return "refusal" if shape == "refusal" else "text"


def path_of(kind: str, within: str, member: str) -> Path:
    """Return where a text of an item stands, as coverage and rules have it: what reasoning says is told apart."""
    return ("output", "*", REASONING if kind == REASONING and within == "content" else within, "*", member)


def without_respelling(item: dict[str, Any], kind: str, walk: AnswerWalk) -> None:
    """Empty what of `item` spells its text once more, and have coverage say so."""
    for within, _, part in parts_of(item, kind):
        if part.get("logprobs"):
            walk.note_dropped(path_of(kind, within, "logprobs"))
            part["logprobs"] = []
    if item.get("encrypted_content") is not None:
        walk.note_dropped(("output", "*", "encrypted_content"))
        item["encrypted_content"] = None


def redacted_item(item: Any, walk: AnswerWalk) -> Any:
    """Return an item that is told whole, redacted. What reasoning says is looked at as reasoning."""
    if not isinstance(item, dict) or item.get("type") != REASONING or "content" not in item:
        return walk.value(item, ("output", "*"))
    beside = {name: value for name, value in item.items() if name != "content"}
    return {**walk.value(beside, ("output", "*")), "content": walk.value(item["content"], ("output", "*", REASONING))}
