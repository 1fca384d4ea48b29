# SPDX-License-Identifier: Apache-2.0
"""Events of a stream that say what an earlier one said, but for one text: known by their bytes, without a parser.

Theory: nearly every event of a stream is the one before it with another text in the same place. Of an event that went
the whole way, a *template* keeps the bytes before and behind its text, and what we wrote before and behind it. An event
of the same bytes around a JSON string would be parsed to the same value with that string in it, and written likewise.

Rules, and why:

1. A template is made only of an event in which nothing was found, and whose rest leaves as it left before however often
   it is said (`spoken_in`): no part of it may be a text of its own, be counted, or end the choice.
2. That the text stands where it was found is proved: the bytes with a mark in its place must parse to the value with
   the mark in its place. So what stands there is inside a string, and without quotes, backslashes and control
   characters it stays inside until the quote behind it. A text with any of these is what a JSON parser reads of it.
3. What leaves is what we wrote, around the text as we write it. No byte of the upstream passes.
"""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from proxy_addons.core.sse_choice import TEXT_FIELDS, WORD_FIELDS
from proxy_addons.core.sse_tree import Path
from proxy_addons.core.strict_json import NotStrictJson, parse_object

# As many bytes as are looked at in one go. Where events of other forms stand between, the rest is looked at again.
_WINDOW: Final = 16_384
_DATA: Final = b"data: "
_MARK: Final = "gatehouse:text"
_MARK_BYTES: Final = _MARK.encode()
# Between texts, so that no character of UTF-8 can begin in one of them and end in the next.
_BETWEEN: Final = b"\0"
_PLAIN: Final = bytes(byte for byte in range(256) if byte >= 0x20 and byte not in b'"\\')  # noqa: PLR2004  # the first that is no control


def spoken_in(event: dict[str, Any], text_in: str) -> tuple[Path, str] | None:
    """Return the one text of an event with its path in the choice's `text_in`, if nothing else goes to a redactor."""
    choices = event["choices"]
    if len(choices) != 1 or event.get("usage") is not None or choices[0].get("finish_reason"):
        return None
    said = choices[0].get(text_in)
    return _text_of(said) if isinstance(said, dict) else ((), said) if said else None


def _text_of(delta: dict[str, Any]) -> tuple[Path, str] | None:
    texts: list[tuple[Path, str]] = []
    for key, value in delta.items():
        if key in TEXT_FIELDS and isinstance(value, str) and value:
            texts.append(((key,), value))
        elif value and not (key in WORD_FIELDS and isinstance(value, str)):
            return None
    return texts[0] if len(texts) == 1 else None


def marked(said: Any, path: Path) -> Any:
    """Return what a choice said with the mark in place of its one text."""
    return {**said, path[0]: _MARK} if path else _MARK


@dataclass(frozen=True, slots=True)
class Template:
    """The form of the events that carry the text at `path` of the choice `index`."""

    index: int
    path: Path
    _head: bytes
    _tail: bytes
    _end: bytes  # what ends an event
    _before: bytes
    _behind: bytes

    @classmethod
    def of(
        cls, data: bytes, text: str, *, end: bytes, index: int, path: Path, event: dict[str, Any], written: bytes
    ) -> "Template | None":
        """Return the form of the event whose bytes are `data` and then `end`, or None where it cannot be told.

        `event` is its value, `written` what leaves of it, both with the mark in place of `text`.
        """
        before, found, behind = data.partition(b'"' + text.encode() + b'"')
        if not found or b"\n" in data or written.count(_MARK_BYTES) != 1:
            return None
        try:
            if parse_object(before + b'"' + _MARK_BYTES + b'"' + behind) != event:
                return None
        except NotStrictJson:
            return None
        return cls(index, path, before + b'"', b'"' + behind, end, *written.split(_MARK_BYTES))

    def text(self, data: bytes) -> str | None:
        """Return the text of the event with this data if it is of this form, or None."""
        if not (data.startswith(self._head) and data.endswith(self._tail)):
            return None
        return _string(data[len(self._head) : len(data) - len(self._tail)])

    def texts(self, piece: bytes, at: int) -> tuple[list[str], int]:
        """Return the texts of the events of this form that stand in `piece` from `at` on, and where the last one ends.

        An empty text is none, nor is one that the strict parser would not read. One more may come next time.
        """
        head, tail = _DATA + self._head, self._tail + self._end
        if not piece.startswith(head, at):
            return [], at
        first = at + len(head)
        last = piece.find(tail, first, first + _WINDOW)
        if last != -1 and not piece.startswith(head, last + len(tail)):  # it comes alone
            text = _string(piece[first:last])
            return ([text], last + len(tail)) if text else ([], at)
        *raw, rest = piece[first : first + _WINDOW].split(tail + head)
        text_of_last, closed, _ = rest.partition(tail)
        if closed:
            raw.append(text_of_last)
        texts, size = _read(raw)
        return texts, at + size + len(texts) * (len(head) + len(tail))

    def written(self, texts: list[str]) -> bytes:
        """Return one event for each text."""
        listed = orjson.dumps(texts)[2:-2]
        if len(texts) > 1:
            between = self._behind + self._before
            if b"\\" in listed:
                listed = between.join([orjson.dumps(text)[1:-1] for text in texts])
            else:  # so every quote is one of those around the texts
                listed = listed.replace(b'","', between)
        return self._before + listed + self._behind


def _read(raw: list[bytes]) -> tuple[list[str], int]:
    """Return what these JSON strings without their quotes say, up to one that is empty or none; and their size."""
    joined = _BETWEEN.join(raw)
    if raw and all(raw) and joined.translate(None, _PLAIN) == _BETWEEN * (len(raw) - 1):
        try:
            return joined.decode().split("\0"), len(joined) - len(raw) + 1
        except UnicodeDecodeError:
            pass
    texts, size = [], 0
    for each in raw:
        text = _string(each)
        if not text:
            break
        texts.append(text)
        size += len(each)
    return texts, size


def _string(raw: bytes) -> str | None:
    try:
        text = orjson.loads(b'"' + raw + b'"')
    except orjson.JSONDecodeError:
        return None
    return text if isinstance(text, str) else None
