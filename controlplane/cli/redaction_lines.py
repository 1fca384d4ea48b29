# SPDX-License-Identifier: Apache-2.0
"""What `gatehouse redact` reads and writes: texts and JSON lines, from bytes to bytes.

Rules: a line of input that holds anything gives one line of output, in its order. What cannot be read gives its error
in its place, so that the lines keep their correspondence, and nothing of it is repeated: it was not examined. Output is
ASCII, so that no reader takes U+2028 or the like within a text for the end of a line.
"""

import codecs
import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

from policies.redaction.examination import Examined

# A line is in memory several times while it is examined; 16 MiB is more than any context window holds.
MAX_LINE_BYTES: Final = 16 * 1024 * 1024
# As much as is read of a text at once. A pipe gives less, what there is.
_CHUNK_BYTES: Final = 64 * 1024
_BOM: Final = codecs.BOM_UTF8
_WHITE: Final = b" \t\r\n"

Examine = Callable[[str], Examined]
Document = dict[str, Any]


class LineRefused(Exception):
    """A line of input that is not what is taken. `id` is its own, where that much could be read."""

    def __init__(self, reason: str, **passed: object) -> None:
        super().__init__(reason)
        self.passed = passed


def lines_of(stream: BinaryIO, *, longest: int = MAX_LINE_BYTES) -> Iterator[tuple[int, bytes | None]]:
    """Give each line that holds anything as soon as it has arrived, with its number; None for one beyond `longest`."""
    number = 0
    while line := stream.readline(longest + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)  # the mark belongs to the file, not to its first line
        if len(line) > longest and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = stream.readline(longest)  # the rest of it, which nobody looks at
            yield number, None
        elif line.strip(_WHITE):
            yield number, line


def answer_of(number: int, line: bytes | None, examine: Examine) -> tuple[bytes, bool]:
    """Return the line that answers one of input, and whether that could be read."""
    try:
        text, passed = _read(line)
        return _written(passed | _answer(examine(text))), True
    except LineRefused as refused:
        return _written(refused.passed | {"error": f"line {number}: {refused}", "line": number}), False


def chunks_of(stream: BinaryIO) -> Iterator[str]:
    """Give the text as it arrives. A byte that is not UTF-8 becomes U+FFFD: what is written is text."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    while chunk := stream.read1(_CHUNK_BYTES):  # type: ignore[attr-defined]  # of every buffered stream
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _read(line: bytes | None) -> tuple[str, Document]:
    if line is None:
        raise LineRefused(f"it is longer than {MAX_LINE_BYTES} bytes: split the text")
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=_unique)
    except UnicodeDecodeError as exc:
        raise LineRefused(f"it is not UTF-8 (byte {exc.start + 1}): write texts in UTF-8") from exc
    except (ValueError, RecursionError) as exc:
        raise LineRefused("it is not JSON: write one object a line") from exc
    if not isinstance(value, dict):
        raise LineRefused('it is not an object: write {"text": "…"}')
    passed = {"id": value["id"]} if "id" in value else {}
    if not isinstance(passed.get("id"), str | int | None):
        raise LineRefused("its id is neither a string nor a whole number")
    if not isinstance(value.get("text"), str):
        raise LineRefused("its member text is missing or no string", **passed)
    return value["text"], passed


def _unique(pairs: list[tuple[str, Any]]) -> Document:
    found = dict(pairs)
    if len(found) != len(pairs):
        # Whoever takes the first of the two would see what was never examined.
        raise LineRefused("a member occurs twice in one object")
    return found


def _answer(examined: Examined) -> Document:
    findings = [
        {"type": each.kind, "start": each.start, "end": each.end, "score": each.score, "detector": each.detector}
        for each in examined.findings
    ]
    answer: Document = {"text": examined.text, "findings": findings}
    if blocked := examined.blocked:
        answer["blocked"] = {"policy": blocked.policy, "rule": blocked.rule, "detector": blocked.detector}
    return answer


def _written(document: Document) -> bytes:
    return json.dumps(document).encode("ascii") + b"\n"
