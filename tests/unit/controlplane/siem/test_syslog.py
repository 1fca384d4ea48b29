# SPDX-License-Identifier: Apache-2.0
"""Syslog lines, byte by byte as RFC 5424 has them."""

import re

import pytest

from controlplane.siem.messages import Severity
from controlplane.siem.syslog import syslog_frames, syslog_line
from tests.siem import make_message

# RFC 5424, section 6: HEADER SP STRUCTURED-DATA SP MSG, with one element.
LINE = re.compile(
    rb"<(\d{1,3})>1 (\S+) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) "
    rb'\[([!-~]{1,32})((?: [!-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*)\] (.*)',
    re.DOTALL,
)


def test_a_line_has_the_parts_in_their_order():
    line = syslog_line(make_message(severity=Severity.WARNING, attributes={"outcome": "deny"}), "gate.local")
    assert line == (
        b"<108>1 2026-11-20T12:00:00.000000Z gate.local gatehouse - terminal "
        b'[gatehouse@32473 index="7" outcome="deny"] {"kind":"terminal"}'
    )


@pytest.mark.parametrize(
    ("value", "want"),
    [
        pytest.param('a"b', 'a\\"b', id="quote"),
        pytest.param("a\\b", "a\\\\b", id="backslash"),
        pytest.param("a]b", "a\\]b", id="bracket"),
        pytest.param("a\nb\x1b[31m", "a�b�[31m", id="control-letters"),
        pytest.param("é", "é", id="other-letters-are-utf-8"),
    ],
)
def test_what_a_value_holds_cannot_end_it(value, want):
    line = syslog_line(make_message(attributes={"outcome": value}), "gate.local")
    parts = LINE.fullmatch(line)
    assert parts is not None
    assert f'outcome="{want}"'.encode() in parts[8]


def test_a_name_that_is_none_becomes_one():
    parts = LINE.fullmatch(syslog_line(make_message(), "two words\n" * 50))
    assert parts is not None
    assert len(parts[3]) == 255


def test_frames_say_how_many_bytes_they_have():
    frames = syslog_frames([make_message(), make_message(attributes={"outcome": "é"})], host="h")
    seen = 0
    while frames:
        length, _, rest = frames.partition(b" ")
        line, frames = rest[: int(length)], rest[int(length) :]
        assert LINE.fullmatch(line)
        seen += 1
    assert seen == 2
