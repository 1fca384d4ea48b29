# SPDX-License-Identifier: Apache-2.0
"""The tests that a document brings along."""

from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from policies.contracts.decision import Effect
from policies.contracts.request import RequestFacts, Subject
from policies.contracts.snapshot import Direction, FieldClass
from policies.contracts.tools import AskedCall
from policies.document import forms
from policies.document.model import Expectation, PolicyTest, RequestOfTest, TextOfTest
from policies.document.reader import Members

_EXPECT_OF_TEXT: Final = ("redacted", "blocked", "findings", "screened")
_EXPECT: Final = ("effect", "reasons", "obligations", *_EXPECT_OF_TEXT, "calls")
_TEST: Final = ("name", "canary", "request", "answer", "text", "direction", "field", "score", "answer_calls", "expect")
_OF_TEXT: Final = ("direction", "field", "score")
NUMBERS: Final = ("max_tokens", "n", "message_count", "text_chars", "body_bytes")
NAMES: Final = ("roles", "tools")
_FACTS: Final = ("stream", "tool_choice", *NUMBERS, *NAMES)
LARGEST: Final = 2**53 - 1

# When a test is asked, where it does not say: guards that read the clock need a time that never changes.
USUAL_TIME: Final = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class ObligationType(StrEnum):
    """What a decision may oblige to."""

    REDACT = "redact"


def read_tests(document: Members) -> tuple[PolicyTest, ...]:
    """Return the tests of a document."""
    entries = document.objects(
        "tests",
        known=_TEST,
        required=("name", "request", "expect"),
    )
    return tuple(map(_test, entries))


def _test(entry: Members) -> PolicyTest:
    expect = entry.object("expect", known=_EXPECT)
    if expect is not None:
        if not expect.node.members:
            entry.notes.add("expects-nothing", expect.node.at, "The test expects nothing.", "Add effect, say.")
        if not {"answer", "text"}.intersection(entry.node.members):
            for name in _EXPECT_OF_TEXT:
                if name in expect:
                    entry.notes.add("member-missing", entry.node.at, f"{name} needs a text.", "Add 'text'.")
    text = _text(entry)
    if expect is not None and "screened" in expect and text is not None and text.direction is Direction.ANSWER:
        problem = "Only requests are screened."
        entry.notes.add("option-without-effect", expect.at("screened"), problem, "Add 'direction: request'.")
    calls = _calls(entry)
    wanted = _expected_calls(entry, expect, calls)
    return PolicyTest(
        name=entry.text("name", forms.LINE),
        request=_request(entry.object("request", known=_REQUEST, required=("subject", "operation"))),
        text=text,
        expect=replace(_expectation(expect), calls=wanted),
        calls=calls,
        canary=entry.boolean("canary") or False,
    )


def _calls(entry: Members) -> tuple[AskedCall, ...]:
    """Return the tool calls of the answer that a test is about."""
    asked = entry.objects("answer_calls", known=("name", "arguments"), required=("name",))
    return tuple(
        AskedCall(index=index, name=call.text("name", forms.CALLED_TOOL), arguments=_listed(call.json("arguments")))
        for index, call in enumerate(asked)
    )


def _listed(value: Any) -> Any:
    """Return `value` as JSON is parsed: the reader has tuples for lists, which schemas do not know."""
    if isinstance(value, dict):
        return {key: _listed(member) for key, member in value.items()}
    return [_listed(item) for item in value] if isinstance(value, tuple) else value


def _expected_calls(entry: Members, expect: Members | None, calls: tuple[AskedCall, ...]) -> tuple[str, ...] | None:
    if expect is None or "calls" not in expect:
        if calls:
            problem = "Nothing is expected of the answer's calls."
            entry.notes.add("member-missing", entry.node.at, problem, "Add 'calls' to 'expect'.")
        return None
    wanted = tuple(expect.texts_of(expect.node.members["calls"], forms.REASON))
    if len(wanted) != len(calls):
        problem = f"{len(wanted)} are expected of {len(calls)} calls."
        entry.notes.add("calls-differ", expect.at("calls"), problem, "Write 'allow' or a reason for each, in order.")
    return wanted


def _text(entry: Members) -> TextOfTest | None:
    if "answer" in entry:
        for name in ("text", *_OF_TEXT):
            if name in entry:
                problem = f"answer is a text of its own, beside which {name} means nothing."
                entry.notes.add("option-without-effect", entry.at(name), problem, "Write 'text' instead of 'answer'.")
        text = entry.text("answer", forms.TEXT)
        return TextOfTest(text=text, direction=Direction.ANSWER, field=FieldClass.ASSISTANT_TEXT)
    if "text" not in entry:
        for name in _OF_TEXT:
            if name in entry:
                problem = f"Without a text, {name} means nothing."
                entry.notes.add("option-without-effect", entry.at(name), problem, "Add 'text'.")
        return None
    direction = entry.choice("direction", Direction, Direction.ANSWER)
    usual = FieldClass.USER if direction is Direction.REQUEST else FieldClass.ASSISTANT_TEXT
    if "score" in entry and direction is Direction.ANSWER:
        problem = "Only requests are screened."
        entry.notes.add("option-without-effect", entry.at("score"), problem, "Add 'direction: request'.")
    return TextOfTest(
        text=entry.text("text", forms.TEXT),
        direction=direction,
        field=entry.choice("field", FieldClass, usual),
        score_bp=entry.share("score"),
    )


_REQUEST: Final = ("subject", "groups", "operation", "model", "facts", "time")


def _request(asked: Members | None) -> RequestOfTest:
    if asked is None:
        return RequestOfTest(
            subject=Subject(type="user", id=""), operation="", model=None, facts=RequestFacts(), at=USUAL_TIME
        )
    kind, _, name = asked.text("subject", forms.MEMBER).partition(":")
    return RequestOfTest(
        subject=Subject(type=kind, id=name, groups=tuple(sorted(asked.texts("groups", forms.GROUP)))),
        operation=asked.text("operation", forms.ONE_OPERATION),
        model=asked.text("model", forms.ONE_MODEL) if "model" in asked else None,
        facts=_facts(asked.object("facts", known=_FACTS)),
        at=_time(asked),
    )


def _facts(stated: Members | None) -> RequestFacts:
    if stated is None:
        return RequestFacts()
    given: dict[str, Any] = {
        name: stated.integer(name, low=-LARGEST, high=LARGEST) for name in NUMBERS if name in stated
    }
    given |= {name: tuple(stated.texts_of(stated.node.members[name], forms.LINE)) for name in NAMES if name in stated}
    if "stream" in stated:
        given["stream"] = stated.boolean("stream")
    if "tool_choice" in stated:
        given["tool_choice"] = stated.text("tool_choice", forms.LINE)
    return replace(RequestFacts(), **given)


def _time(asked: Members) -> datetime:
    text = asked.text("time", forms.LINE)
    if not text:
        return USUAL_TIME
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        asked.notes.add("bad-time", asked.at("time"), "This is no time.", 'Write it as "2026-11-20T18:00:00Z".')
        return USUAL_TIME
    return at


def _expectation(expect: Members | None) -> Expectation:
    if expect is None:
        return Expectation()
    return Expectation(
        effect=expect.choice("effect", Effect, Effect.DENY) if "effect" in expect else None,
        reasons=tuple(sorted(expect.texts("reasons", forms.REASON))) if "reasons" in expect else None,
        redacted=expect.text("redacted", forms.TEXT) if "redacted" in expect else None,
        blocked=expect.boolean("blocked"),
        screened=expect.boolean("screened"),
        findings=tuple(sorted(expect.texts("findings", forms.DETECTOR))) if "findings" in expect else None,
        obligations=_obligations(expect),
    )


def _obligations(expect: Members) -> tuple[str, ...] | None:
    if "obligations" not in expect:
        return None
    owed = expect.objects("obligations", known=("type", "policy"), required=("type", "policy"))
    for each in owed:
        each.choice("type", ObligationType, ObligationType.REDACT)
    return tuple(sorted(each.text("policy", forms.ID) for each in owed))
