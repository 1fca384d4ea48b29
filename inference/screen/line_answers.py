# SPDX-License-Identifier: Apache-2.0
"""Answers lines of texts or messages by lines of judgements, many at a time."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inference.screen.judge import Judge
from inference.screen.lines import MOST_BYTES, RawLine
from inference.screen.merging import MOST_WINDOWS, worst, worst_signals
from inference.screen.messages import Line, LineRefused, line_of
from inference.screen.question import Judged
from inference.screen.written import judgement_json, signals_json, versions_json, window_json
from policies.screening.model import Judgement, Origin, Window


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of output. `readable` is false where it tells of an error."""

    written: bytes
    readable: bool


def read_line(raw: RawLine) -> Line:
    """Raises LineRefused, whose text names the place within the line."""
    if raw.content is None:
        raise LineRefused(f"the line is longer than {MOST_BYTES} bytes")
    try:
        parsed = json.loads(raw.content.decode(), parse_constant=_no_constant, object_pairs_hook=_unique)
    except json.JSONDecodeError as exc:
        raise LineRefused(f"the line is no JSON: {exc.msg} at column {exc.colno}") from None
    except UnicodeDecodeError as exc:
        raise LineRefused(f"the line is no UTF-8 at byte {exc.start}") from None
    except (ValueError, RecursionError):
        raise LineRefused("the line is no JSON that can be read: a member twice, NaN, or nested too deep") from None
    return line_of(parsed)


def answers_of(judge: Judge, lines: Sequence[RawLine]) -> Iterator[Answer]:
    """An answer for each line, in order. All lines that have arrived share the classifier's batches."""
    read: list[Line | LineRefused] = []
    for raw in lines:
        try:
            read.append(read_line(raw))
        except LineRefused as refused:
            read.append(refused)
    asked = [line for line in read if isinstance(line, Line)]
    judged = iter(judge.judge_many([line.inputs for line in asked], joined=True))
    for raw, line in zip(lines, read, strict=True):
        if isinstance(line, Line):
            yield Answer(_written(_answer(line, next(judged))), readable=True)
        else:
            yield Answer(_written({"error": str(line), "line": raw.number}), readable=False)


def text_answer(judge: Judge, content: bytes) -> Answer:
    """The answer to one text of UTF-8."""
    line = json.dumps({"text": content.decode("utf-8", "replace")}).encode() if len(content) <= MOST_BYTES else None
    (answer,) = answers_of(judge, [RawLine(1, line)])
    return answer


def scores_of(judge: Judge, lines: Sequence[RawLine]) -> Iterator[tuple[Origin, float]]:
    """Each text's origin and score. Raises LineRefused at the first line that cannot be judged whole."""
    asked = []
    for raw in lines:
        try:
            asked.append(read_line(raw).inputs)
        except LineRefused as refused:
            raise LineRefused(f"line {raw.number}: {refused}") from None
    for inputs, judged in zip(asked, judge.judge_many(asked, joined=False), strict=True):
        for each, result in zip(inputs, judged.results, strict=True):
            if each.text:
                yield each.origin, result.score


def judgement_of(judged: Judged) -> Judgement:
    """What counts of a whole line."""
    return worst([*judged.results, *((judged.joined,) if judged.joined else ())])


def _answer(line: Line, judged: Judged) -> dict[str, Any]:
    told = judgement_json(judgement_of(judged)) | {"complete": judged.complete}
    if line.messages is not None:
        told |= _of_messages(line.messages, line, judged, told["threshold"])
    known = {} if line.id is None else {"id": line.id}
    return known | told | {"versions": versions_json(judged.versions)}


def _of_messages(numbers: Sequence[int], line: Line, judged: Judged, threshold: float) -> dict[str, Any]:
    """What all messages showed. A window says which message it is in; one across messages does not."""
    found: list[tuple[Window, int | None]] = [(each, None) for each in (judged.joined.windows if judged.joined else ())]
    begin = 0
    for at, (number, each, result) in enumerate(zip(numbers, line.inputs, judged.results, strict=True)):
        begin = 0 if at == 0 or numbers[at - 1] != number else begin
        moved = (replace(window, start=window.start + begin, end=window.end + begin) for window in result.windows)
        found += ((window, number) for window in moved)
        begin += len(each.text)
    found.sort(key=lambda pair: -pair[0].score)
    told = found[:1] + [pair for pair in found[1:MOST_WINDOWS] if pair[0].score >= threshold]
    everything = [*judged.results, *((judged.joined,) if judged.joined else ())]
    return {
        "signals": signals_json(worst_signals(signal for each in everything for signal in each.signals)),
        "windows": [({} if number is None else {"message": number}) | window_json(window) for window, number in told],
    }


def _written(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, ensure_ascii=True, separators=(", ", ": ")).encode() + b"\n"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member twice")
    return members


def _no_constant(_: str) -> Any:
    raise ValueError("not JSON")
