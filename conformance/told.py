# SPDX-License-Identifier: Apache-2.0
"""What a client puts together from an answer, in every way that one may: a secret in pieces is a secret told.

Rules: a text of a stream is told piece by piece, so pieces that stand at one path are one text: once with the items of
lists apart, by the number they give themselves, and once together, as tokens are. Numbers in a row are bytes.
Arguments of a tool call are JSON within a text: what they say is told too.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any, Final

_EVENT_END: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BYTE: Final = 256
_MAX_DEPTH: Final = 64
_Path = tuple[str | int, ...]


def texts_of(body: bytes) -> list[str]:
    """Return every text that `body`, a JSON answer or a stream of events, tells."""
    told: dict[tuple[bool, _Path], list[str]] = {}
    numbers: dict[_Path, list[int]] = {}
    for value in _values(body):
        for path, leaf in _leaves(value, ()):
            together = tuple("*" if isinstance(step, int) else step for step in path)
            if isinstance(leaf, str):
                told.setdefault((True, path), []).append(leaf)
                told.setdefault((False, together), []).append(leaf)
            elif type(leaf) is int and 0 <= leaf < _BYTE:
                numbers.setdefault(together, []).append(leaf)
    texts = ["".join(pieces) for pieces in told.values()]
    texts += [bytes(each).decode("utf-8", "replace") for each in numbers.values()]
    for (apart, path), pieces in told.items():
        if apart and path[-1:] == ("arguments",):
            texts += _within("".join(pieces))
    return texts


def arguments_of(body: bytes) -> list[str]:
    """Return the arguments of every tool call that `body` tells, each put together from its pieces."""
    told: dict[_Path, list[str]] = {}
    for value in _values(body):
        for path, leaf in _leaves(value, ()):
            if path[-1:] == ("arguments",) and isinstance(leaf, str):
                told.setdefault(path, []).append(leaf)
    return ["".join(pieces) for pieces in told.values()]


def _values(body: bytes) -> Iterator[Any]:
    """Give the JSON values of `body`: itself, or those of its events."""
    yield from _parsed(body)
    for event in _EVENT_END.split(body):
        data = [line[5:].removeprefix(b" ") for line in _LINE_END.split(event) if line.startswith(b"data:")]
        yield from _parsed(b"\n".join(data))


def _parsed(text: bytes) -> Iterator[Any]:
    with contextlib.suppress(ValueError, RecursionError):
        yield json.loads(text)


def _leaves(value: Any, path: _Path) -> Iterator[tuple[_Path, Any]]:
    if len(path) > _MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name, member in value.items():
            yield path, name
            yield from _leaves(member, (*path, name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            index = item.get("index") if isinstance(item, dict) else None
            yield from _leaves(item, (*path, index if isinstance(index, int) else place))
    else:
        yield path, value


def _within(arguments: str) -> Iterator[str]:
    """Give what `arguments` say: as JSON, or, where they are none, with their escapes read."""
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        yield re.sub(r"\\u([0-9a-fA-F]{4})", lambda escape: chr(int(escape[1], 16)), arguments)
        return
    for _, leaf in _leaves(value, ()):
        if isinstance(leaf, str):
            yield leaf
