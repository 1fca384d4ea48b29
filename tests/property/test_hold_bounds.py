# SPDX-License-Identifier: Apache-2.0
"""What reaches a bound of what may be held: nothing of it leaves raw, however it came and whatever policy says then."""

import base64
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.contracts.decision import Mode
from policies.contracts.snapshot import AtBound, Dialect, HoldBounds, RedactionAction, RedactionPolicy, RedactionRule
from policies.redaction.engine import Redaction
from policies.redaction.findings import AnswerBlocked, Tally
from policies.redaction.rules import ActiveRules
from proxy_addons.core.responses_stream import ResponsesEnforcer
from proxy_addons.core.restoring import Shared
from proxy_addons.core.sse import SseEnforcer
from tests import responses, streams
from tests.streams import EMAIL, MAX_EVENT_BYTES, by_length

MS = 1_000_000
DETECTORS = ("jwt", "password", "email", "payment-card", "private-key-header")


def _rules(max_bytes: int, max_ms: int | None, at_bound: AtBound) -> ActiveRules:
    rule = RedactionRule(id="rule", detectors=DETECTORS, action=RedactionAction.REPLACE)
    hold = HoldBounds(max_bytes=max_bytes, max_ms=max_ms, at_bound=at_bound)
    policy = RedactionPolicy(
        id="policy", version="1", mode=Mode.ENFORCE, operations=(), models=(), rules=(rule,), hold=hold
    )
    return Redaction.of([policy]).rules_for(["policy"])


SMALL = {at: _rules(1024, None, at) for at in AtBound}
TIMED = {at: _rules(16_384, 100, at) for at in AtBound}


def _letters(length: int) -> str:
    return "".join(random.Random(1).choices("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=length))


def _jwt(length: int) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    return f"{head}.{base64.urlsafe_b64encode(json.dumps({'sub': _letters(length)}).encode()).decode().rstrip('=')}"


LONG = {
    "jwt": _jwt(40_000),
    "password": "password=" + _letters(6_000),
}


def _raw(secret: str, left: str, *, least: int = 24) -> bool:
    """Whether as many characters in a row of the secret have left."""
    return any(secret[at : at + least] in left for at in range(10, len(secret) - least, 7))


# A run that decodes to something harmless, but for an address that begins at a byte of which 4 characters tell.
PLAIN = f"{_letters(2_999)} {EMAIL} {_letters(1_500)}"
ENCODED = base64.b64encode(PLAIN.encode()).decode()
ADDRESS = ENCODED[4000 : 4000 + len(EMAIL) // 3 * 4]


def _left(rules: ActiveRules, text: str, length: int) -> tuple[str, AnswerBlocked | None]:
    redactor, left = rules.stream(), ""
    try:
        for piece in by_length(text, length):
            left += redactor.feed(piece)
        left += redactor.finish()
    except AnswerBlocked as blocked:
        return left, blocked
    return left, None


@pytest.mark.parametrize("secret", LONG.values(), ids=LONG)
@settings(max_examples=5)
@given(length=st.integers(300, 5000))
def test_nothing_of_a_secret_longer_than_the_bound_leaves(secret: str, length: int):
    text = f"It is {secret} and so on."
    left, blocked = _left(SMALL[AtBound.REDACT], text, length)
    assert blocked is None
    assert left.startswith("It is ")
    assert left.endswith("and so on.")
    assert not _raw(secret, left)
    left, blocked = _left(SMALL[AtBound.CUT], text, length)
    assert not _raw(secret, left)
    if blocked is not None:
        assert (blocked.policy, blocked.rule) == ("policy", "hold.max_bytes")


@pytest.mark.parametrize("at_bound", AtBound)
@settings(max_examples=5)
@given(length=st.integers(100, 5000))
def test_nothing_of_a_finding_in_a_run_longer_than_the_bound_leaves(at_bound: AtBound, length: int):
    assert base64.b64decode(ADDRESS).decode() in EMAIL
    left, _ = _left(SMALL[at_bound], f"It is {ENCODED} and so on.", length)
    assert ADDRESS not in left


def _clocked(rules: ActiveRules) -> tuple[Any, Callable[[int], None]]:
    now = [0]

    def wait(ms: int) -> None:
        now[0] += ms * MS

    return rules.stream(Tally(clock=lambda: now[0])), wait


def test_what_is_held_for_too_long_is_cut_where_policy_says_so():
    redactor, wait = _clocked(TIMED[AtBound.CUT])
    assert redactor.feed("write to alice") == "write to "
    wait(99)
    assert (redactor.due_ns, redactor.expire(99 * MS)) == (100 * MS, "")
    with pytest.raises(AnswerBlocked) as blocked:
        redactor.expire(100 * MS)
    assert (blocked.value.policy, blocked.value.rule) == ("policy", "hold.max_ms")


@given(text=st.sampled_from(["alice@example.com", "4111 1111 1111 1111", "password: hunter2Xq9"]), data=st.data())
def test_nothing_of_a_finding_leaves_whenever_its_beginning_was_given_up(text: str, data: st.DataObject):
    redactor, wait = _clocked(TIMED[AtBound.REDACT])
    at = data.draw(st.integers(1, len(text) - 1))
    left = redactor.feed(f"It is {text[:at]}")
    wait(100)
    left += redactor.expire(100 * MS)
    assert redactor.due_ns is None
    left += redactor.feed(text[at:])
    left += redactor.feed(" and so on.")
    left += redactor.finish()
    assert left.startswith("It is ")
    assert left.endswith(" and so on.")
    secret = text.removeprefix("password: ")
    assert not any(secret[place : place + 4] in left for place in range(len(secret) - 3))


def test_what_turns_out_to_be_no_finding_leaves_from_there_on():
    redactor, wait = _clocked(TIMED[AtBound.REDACT])
    assert redactor.feed("so alice") == "so "
    wait(150)
    assert redactor.expire(150 * MS) == "[redacted:held-text]"
    assert redactor.feed(" went home ") == " went home "
    assert redactor.findings[0].rule == "hold.max_ms"


def test_what_came_later_may_wait_longer():
    redactor, wait = _clocked(TIMED[AtBound.REDACT])
    redactor.feed("one ")
    redactor.feed("alice")
    wait(60)
    redactor.feed(".b")
    assert redactor.due_ns == 100 * MS
    wait(40)
    assert redactor.expire(100 * MS) == "[redacted:held-text]"
    redactor.feed("ob")
    assert redactor.due_ns == 200 * MS
    wait(100)
    assert redactor.expire(200 * MS) == "", "the same text is held still: one placeholder stands for it"
    assert redactor.feed("@example.com and ") == " and "


def test_without_a_bound_in_time_nothing_is_ever_due():
    redactor = SMALL[AtBound.CUT].stream(Tally())
    redactor.feed("alice")
    assert (redactor.due_ns, redactor.expire(10**18)) == (None, "")


# ── in each dialect: a stalled upstream brings no event ──


def _chat(rules: ActiveRules, tally: Tally) -> tuple[SseEnforcer, bytes]:
    enforcer = SseEnforcer(
        dialect=Dialect.CHAT, rules=rules, request_id="r", max_event_bytes=MAX_EVENT_BYTES, shared=Shared(tally)
    )
    return enforcer, streams.wire(streams.event(streams.said({"content": "to alice"})), done=False)


def _completions(rules: ActiveRules, tally: Tally) -> tuple[SseEnforcer, bytes]:
    enforcer = SseEnforcer(
        dialect=Dialect.COMPLETIONS, rules=rules, request_id="r", max_event_bytes=MAX_EVENT_BYTES, shared=Shared(tally)
    )
    return enforcer, streams.wire(streams.event({"index": 0, "text": "to alice", "finish_reason": None}), done=False)


def _responses(rules: ActiveRules, tally: Tally) -> tuple[ResponsesEnforcer, bytes]:
    enforcer = ResponsesEnforcer(rules=rules, request_id="r", max_event_bytes=MAX_EVENT_BYTES, shared=Shared(tally))
    told = responses.answered(responses.spoken("output_text", ["to alice", "@example.com now"]))
    until = next(at for at, event in enumerate(told) if event["type"].endswith("text.delta"))
    return enforcer, responses.wire(*told[: until + 1])


DIALECTS = [_chat, _completions, _responses]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_in_every_dialect_held_text_is_replaced_in_time(dialect: Any):
    enforcer, begun = dialect(TIMED[AtBound.REDACT], Tally(clock=lambda: 0))
    assert b"alice" not in enforcer.feed(begun)
    assert enforcer.due_ns == 100 * MS
    assert enforcer.expire(99 * MS) == b""
    assert b"[redacted:held-text]" in enforcer.expire(100 * MS)
    assert (enforcer.due_ns, enforcer.cut) == (None, None)
    assert b"alice" not in enforcer.finish()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_in_every_dialect_the_stream_is_cut_in_time(dialect: Any):
    enforcer, begun = dialect(TIMED[AtBound.CUT], Tally(clock=lambda: 0))
    enforcer.feed(begun)
    assert b"answer-blocked" in enforcer.expire(100 * MS)
    assert enforcer.cut.rule == "hold.max_ms"
    assert (enforcer.due_ns, enforcer.finish()) == (None, b"")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_in_every_dialect_what_is_held_at_the_end_is_examined_and_at_a_fault_dropped(dialect: Any):
    for ends in (lambda enforcer: enforcer.finish(), lambda enforcer: enforcer.abort("upstream-timeout")):
        enforcer, begun = dialect(SMALL[AtBound.CUT], Tally())
        last = begun.replace(b"to alice", f"to {EMAIL}".encode())
        assert EMAIL.encode() not in enforcer.feed(last) + ends(enforcer)
        assert enforcer.feed(begun) + enforcer.finish() == b"", "nothing leaves behind the end"
