# SPDX-License-Identifier: Apache-2.0
"""The texts that somebody said in a request, an answer or an event of a stream, found by the members they stand in.

What names, ids, tools offered and settings say is no part of a prompt or an answer.
"""

from collections.abc import Iterator
from typing import Any, Final

import orjson

_SAYING: Final = frozenset(
    {
        *("content", "text", "prompt", "input", "instructions", "suffix", "refusal", "arguments", "output"),
        *("reasoning", "reasoning_content", "thinking", "transcript", "summary"),
    }
)
_NOT_SAID: Final = frozenset({"tools", "functions", "response_format", "metadata", "usage", "logprobs"})
_DATA: Final = b"data: {"
# Where the whole answer has the text whose pieces events of a response tell.
_PLACES: Final = {
    "response.output_text.delta": "output.{output_index}.content.{content_index}.text",
    "response.refusal.delta": "output.{output_index}.content.{content_index}.refusal",
    "response.reasoning_text.delta": "output.{output_index}.content.{content_index}.text",
    "response.reasoning_summary_text.delta": "output.{output_index}.summary.{summary_index}.text",
    "response.function_call_arguments.delta": "output.{output_index}.arguments",
}


def texts_of(body: bytes) -> list[tuple[str, str]]:
    """Return the texts of a JSON body that was examined, with their paths, in its order; none of what is no JSON."""
    try:
        return list(_within(orjson.loads(body), "", said=False))
    except orjson.JSONDecodeError:
        return []  # a form


def pieces_of(events: bytes) -> Iterator[tuple[str, str]]:
    """Give the pieces of texts in `events`, whole ones that we wrote, with the paths of what they are pieces of."""
    for line in events.split(b"\n"):
        if line.startswith(_DATA):
            yield from _pieces(orjson.loads(line[len(_DATA) - 1 :]))


def _pieces(event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    choices, kind, piece = event.get("choices"), event.get("type"), event.get("delta")
    if isinstance(choices, list):
        for choice in choices:
            path = f"choices.{choice['index']}"
            for member in ("delta", "text"):
                if member in choice:
                    yield from _within(choice[member], path if member == "delta" else f"{path}.text", said=True)
    elif kind in _PLACES and isinstance(piece, str) and piece:
        yield _PLACES[kind].format_map(event), piece


def _within(value: Any, path: str, *, said: bool) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            if said and value:
                yield path, value
        case dict():
            for name, member in value.items():
                if name not in _NOT_SAID:
                    yield from _within(member, f"{path}.{name}" if path else name, said=name in _SAYING)
        case list():
            for number, item in enumerate(value):
                yield from _within(item, f"{path}.{number}", said=said)
