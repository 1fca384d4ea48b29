# SPDX-License-Identifier: Apache-2.0
"""Attack case 52, for answers: no text that a model may write costs more than its length, as far as can be timed."""

import contextlib
import time

import pytest

from policies.redaction.findings import AnswerBlocked, Tally
from tests.streams import by_length, event, rules, said, stream, wire

SHORT, TIMES = 10_000, 16
# A cost that grows with the square of the length would be 256 times as high, or 90 beside a large linear part; the rest
# is for a busy machine.
MOST_TIMES = 60
LEAST_S = 0.01

PATTERNS = [
    *("4 ", "4", "4111-", "4111 1111 1111 1111 ", "0 4"),
    *("@", "a@", "a@a.", "a.", "@" + "a" * 180 + ".", "x@" + "a." * 94),
    *("-", "-----BEGIN ", "-----BEGIN " + "A" * 30, "-----BEGIN PRIVATE KEY-----", "-----END "),
    *("A", "AKIA", "secret key: ", "secret key:a", "SECRET KEY===========", "secret_key_", "a" * 45),
    *("[", "\\u0034", "é", "\n"),
]


def text_of(pattern: str, length: int) -> str:
    return (pattern * (length // len(pattern) + 1))[:length]


def redact_whole(text: str) -> None:
    # What would cost more than policy allows is blocked as unexamined, which is a bound too.
    with contextlib.suppress(AnswerBlocked):
        rules().whole(text, Tally())


def redact_streamed(text: str) -> None:
    enforcer = stream()
    for piece in by_length(text, 200):
        enforcer.feed(wire(event(said({"content": piece})), done=False))
    enforcer.finish()


def redact_calls(text: str) -> None:
    enforcer = stream()
    for piece in by_length(text, 200):
        call = {"index": 0, "function": {"arguments": piece}}
        enforcer.feed(wire(event(said({"tool_calls": [call]})), done=False))
    enforcer.finish()


def seconds(work, text: str, *, tries: int = 1) -> float:
    taken = []
    for _ in range(tries):
        started = time.process_time()
        work(text)
        taken.append(time.process_time() - started)
    return min(taken)


@pytest.mark.parametrize("work", [redact_whole, redact_streamed], ids=["whole", "streamed"])
@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: ascii(pattern[:12]))
def test_the_cost_grows_with_the_length_only(pattern: str, work):
    short = max(seconds(work, text_of(pattern, SHORT), tries=3), LEAST_S)
    assert seconds(work, text_of(pattern, SHORT * TIMES), tries=2) < MOST_TIMES * short


@pytest.mark.parametrize("pattern", ["4 ", "\\u0034", "a@a.", "["])
def test_the_cost_of_calls_grows_with_the_length_only(pattern: str):
    short = max(seconds(redact_calls, text_of(pattern, SHORT), tries=3), LEAST_S)
    assert seconds(redact_calls, text_of(pattern, SHORT * TIMES), tries=2) < MOST_TIMES * short
