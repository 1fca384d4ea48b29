# SPDX-License-Identifier: Apache-2.0
"""Whether what was seen is what is right: pure, from what came back and what arrived."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from conformance.answers import Answer
from conformance.case import GENERIC_REFUSALS, Row, Want
from conformance.recorder import requests_in
from conformance.told import arguments_of, texts_of
from conformance.wire import Heard

_SHOWN: Final = 60
_ERROR: Final = b'"error"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a row led to. `arrived` is what came upstream by connection; None where nobody watched."""

    heard: Heard
    arrived: Mapping[int, bytes] | None
    gatehouse: bool
    mark: bytes


def code_of(answer: Answer) -> str | None:
    """Return `error.code` of an answer in OpenAI's form, None of any other."""
    try:
        code = json.loads(answer.body)["error"]["code"]
    except (ValueError, LookupError, TypeError):
        return None
    return code if isinstance(code, str) else None


def describe(seen: Seen) -> str:
    """Return what was seen in a line: statuses, codes, whether it was closed, and what arrived."""
    reader = seen.heard.reader
    said = [f"{answer.status}" + (f" {code}" if (code := code_of(answer)) else "") for answer in reader.answers]
    if seen.heard.handshake:
        said.append(f"no TLS ({seen.heard.handshake})")
    if reader.unreadable:
        said.append("bytes that are no answer")
    if not said:
        said.append("no answer")
    if seen.heard.closed:
        said.append("closed")
    if seen.arrived is not None:
        said.append(f"{sum(map(len, seen.arrived.values()))} B upstream")
    return ", ".join(said)


def judge(row: Row, seen: Seen) -> str | None:
    """Return what is wrong, or None where all is as it should be."""
    reader = seen.heard.reader
    if reader.overlong:
        return "it sends without end"
    wants = [row.want] if row.then is None else [row.want, row.then]
    if len(reader.answers) > len(wants):
        return f"{len(reader.answers)} answers to {len(wants)}"
    if reader.unreadable and (seen.gatehouse or not reader.answers):
        return "what it sends is no HTTP"
    problem = None
    for number, want in enumerate(wants):
        answer = reader.answers[number] if number < len(reader.answers) else None
        problem = _judge_answer(want, answer, seen)
        if problem is not None:
            return problem
        if answer is None or answer.status not in want.answered:
            # A refusal may end the connection, and then no second answer is due.
            following = reader.answers[number + 1 :]
            if seen.heard.closed and not following:
                break
    return _judge_upstream(row, wants, seen)


def _judge_answer(want: Want, answer: Answer | None, seen: Seen) -> str | None:
    if answer is None:
        if not seen.heard.closed:
            return "no answer in time"
        if seen.heard.handshake is None and (seen.gatehouse or not want.refused):
            return "closed without an answer"
        return None if want.refused else "no connection"
    problem = None
    if answer.status in want.answered:
        problem = _judge_content(want, answer, seen)
    elif not want.refused or answer.status not in (want.refused if seen.gatehouse else GENERIC_REFUSALS):
        problem = f"answered {answer.status}"
    elif seen.gatehouse and want.codes and code_of(answer) not in want.codes:
        problem = f"refused as {code_of(answer)}, not as {' or '.join(sorted(want.codes))}"
    elif answer.two_lengths:
        problem = "its refusal states its length twice"
    if problem is None and want.refused:
        problem = _told_of_absent(want, answer, seen)
    if problem is None and want.closes and answer.status not in want.answered and not seen.heard.closed:
        problem = "the connection stays open"
    return problem


def _judge_content(want: Want, answer: Answer, seen: Seen) -> str | None:
    texts = texts_of(answer.body)
    told = b"\0".join([_head_of(answer) + answer.body, *(text.encode("utf-8", "replace") for text in texts)])
    problem = _told_of_absent(want, answer, seen)
    if answer.two_lengths:
        problem = "its answer states its length twice"
    elif answer.status == HTTPStatus.OK and problem is None:
        lacking = [text for text in want.present if text.replace(b"<MARK>", seen.mark) not in told]
        if lacking:
            problem = f"its answer lacks {_shown(lacking[0])}"
        elif want.cut and answer.complete and _ERROR not in told:
            problem = "its answer ends as if it were whole"
    return problem or _said(want, answer, texts)


def _said(want: Want, answer: Answer, texts: list[str]) -> str | None:
    """Return what a client puts together that it should not, or cannot where it should."""
    found = [text for text in want.unsaid if any(text in each for each in texts)]
    if found:
        return f"a client puts together {_shown(found[0].encode())}"
    if want.arguments and not all(map(_is_json, arguments_of(answer.body))):
        return "arguments of a tool call are no JSON"
    return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _told_of_absent(want: Want, answer: Answer, seen: Seen) -> str | None:
    """Return what is told that must not be: also before an answer, after it, or in a reason phrase."""
    told = bytes(seen.heard.reader.raw) + answer.body
    found = [text for text in want.absent if text.replace(b"<MARK>", seen.mark) in told]
    return f"it tells {_shown(found[0])}" if found else None


def _judge_upstream(row: Row, wants: list[Want], seen: Seen) -> str | None:
    if seen.arrived is None:
        return None
    forwarded = 0
    for number, want in enumerate(wants):
        answers = seen.heard.reader.answers
        forwarded += number < len(answers) and answers[number].status in want.answered
    content = b"".join(seen.arrived.values())
    if not forwarded:
        # Where an answer of the upstream is on trial, it was asked before it was refused.
        return None if row.scripted or not content else f"refused, but {len(content)} B arrived upstream"
    wanted = row.upstream
    if (count := requests_in(dict(seen.arrived))) > max(wanted.requests, forwarded):
        return f"{count} requests arrived upstream"
    lowered = content.lower()
    for text in wanted.absent:
        if text.replace(b"<MARK>", seen.mark).lower() in lowered:
            return f"{_shown(text)} arrived upstream"
    for text in wanted.present:
        if text.replace(b"<MARK>", seen.mark).lower() not in lowered:
            return f"{_shown(text)} did not arrive upstream"
    return None


def _head_of(answer: Answer) -> bytes:
    return b"".join(b"%s: %s\r\n" % (name, value) for name, value in answer.headers)


def _shown(text: bytes) -> str:
    return ascii(text[:_SHOWN].decode("latin-1"))
