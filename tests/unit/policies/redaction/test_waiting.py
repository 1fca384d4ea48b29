# SPDX-License-Identifier: Apache-2.0
from policies.redaction.waiting import Waiting

MS = 1_000_000


def test_the_first_character_that_is_held_says_when_it_is_too_long():
    now = [0]
    waiting = Waiting(10, lambda: now[0])
    assert waiting.until_ns is None
    waiting.note(5, held=2)
    now[0] = 4 * MS
    waiting.note(3, held=5)
    assert waiting.until_ns == 10 * MS
    waiting.note(0, held=3)
    assert waiting.until_ns == 14 * MS
    waiting.note(1, held=0)
    assert waiting.until_ns is None


def test_nothing_that_came_needs_no_time():
    waiting = Waiting(10, lambda: 1)
    waiting.note(0, held=0)
    assert waiting.until_ns is None
