# SPDX-License-Identifier: Apache-2.0
"""The `tests` of a document: requests and answers with what must come of them."""

from datetime import datetime
from typing import Final

from policies.contracts.codec import JSON
from policies.contracts.decision import Effect
from policies.document import names
from policies.document.model import ExampleRequest, Expectation, PolicyTest
from policies.document.reader import Reader
from policies.document.tree import Node

_LONGEST_TEXT: Final = 64 * 1024
_COUNTS: Final = ("max_tokens", "n", "message_count", "text_chars", "body_bytes")
_NAMES: Final = ("roles", "tools")


def read_tests(reader: Reader, node: Node | None) -> tuple[PolicyTest, ...]:
    """Return the tests in the list `node`, none where there is no list."""
    tests = tuple(_read_test(reader, item) for item in reader.items(node, what="'tests'", most=10_000))
    reader.unique(((test.name, test.at) for test in tests), what="tests")
    return tests


def _read_test(reader: Reader, node: Node) -> PolicyTest:
    row = reader.members(node, node.at, required=("name", "request", "expect"), optional=("answer",))
    answer, expect_node = row.get("answer"), row.get("expect")
    expect = _read_expectation(reader, expect_node, node)
    if answer is None and (expect.redacted is not None or expect.blocked is not None):
        reader.problem("missing-field", node.at, "'redacted' and 'blocked' are about an answer.", "Add 'answer'.")
    return PolicyTest(
        name=reader.text(row.get("name"), what="A test's name", longest=256),
        at=node.at,
        request=_read_request(reader, row.get("request"), node),
        answer=None if answer is None else reader.text(answer, what="'answer'", longest=_LONGEST_TEXT, empty=True),
        expect=expect,
    )


def _read_request(reader: Reader, node: Node | None, test: Node) -> ExampleRequest:
    row = reader.members(
        node,
        test.at,
        required=("subject", "operation"),
        optional=("model", "facts", "time"),
    )
    model, time = row.get("model"), row.get("time")
    text = None if time is None else reader.text(time, what="'time'")
    if text:
        try:
            aware = datetime.fromisoformat(text).tzinfo is not None
        except ValueError:
            aware = False
        if not aware:
            fix = 'Write "2026-11-20T18:00:00Z", in quotes.'
            reader.problem("wrong-form", time.at if time else test.at, "This is not an RFC 3339 time.", fix)
    return ExampleRequest(
        subject=names.person(reader, row.get("subject"), what="a subject"),
        operation=names.operation(reader, row.get("operation")),
        model=None if model is None else names.model(reader, model),
        facts=_read_facts(reader, row.get("facts")),
        time=text,
    )


def _read_facts(reader: Reader, node: Node | None) -> dict[str, JSON]:
    if node is None:
        return {}
    row = reader.members(node, node.at, required=(), optional=("stream", "tool_choice", *_COUNTS, *_NAMES))
    facts: dict[str, JSON] = {}
    for name, _, value in row.entries:
        if name in _COUNTS:
            facts[name] = reader.integer(value, least=0, most=2**53 - 1, what=f"'{name}'")
        elif name in _NAMES:
            items = reader.items(value, what=f"'{name}'")
            facts[name] = tuple(reader.text(item, what="A name", longest=256) for item in items)
        elif name == "stream":
            facts[name] = reader.boolean(value, what="'stream'")
        elif name == "tool_choice":
            facts[name] = reader.text(value, what="'tool_choice'", longest=256)
    return facts


def _read_expectation(reader: Reader, node: Node | None, test: Node) -> Expectation:
    row = reader.members(node, test.at, required=(), optional=("effect", "reasons", "redacted", "blocked"))
    if node is not None and not row.entries:
        reader.problem("missing-field", node.at, "It expects nothing.", "Add 'effect', 'reasons' or 'redacted'.")
    effect, reasons = row.get("effect"), row.get("reasons")
    redacted, blocked = row.get("redacted"), row.get("blocked")
    items = None if reasons is None else reader.items(reasons, what="'reasons'")
    return Expectation(
        effect=None if effect is None else reader.choice(effect, Effect, default=Effect.DENY, what="an effect"),
        reasons=None if items is None else tuple(reader.identifier(item, what="a reason code") for item in items),
        redacted=None
        if redacted is None
        else reader.text(redacted, what="'redacted'", longest=_LONGEST_TEXT, empty=True),
        blocked=None if blocked is None else reader.boolean(blocked, what="'blocked'"),
    )
