# SPDX-License-Identifier: Apache-2.0
"""Rows about secrets, judged on answers as they are played: what a gateway that forwards everything would tell."""

import pytest

from conformance.answers import AnswerReader
from conformance.case import Row
from conformance.cases.secrets import SECRET_CASES
from conformance.judge import Seen, judge
from conformance.secret_scripts import ALL_SCRIPTS, CANARY, CARD, KEY, SIBLING
from conformance.wire import Heard

MARK = "mark-0123456789abcdef"
ROWS = [pytest.param(row, id=f"{case.number} {row.slug}") for case in SECRET_CASES for row in case.rows]


def problem_of(row: Row, played: bytes) -> str | None:
    reader = AnswerReader()
    reader.feed(played)
    reader.feed(b"")
    heard = Heard(reader=reader, closed=True, elapsed_s=0.0)
    return judge(row, Seen(heard=heard, arrived=None, gatehouse=False, mark=MARK.encode()))


@pytest.mark.parametrize("row", ROWS)
def test_a_gateway_that_forwards_everything_fails_but_in_the_sibling(row):
    problem = problem_of(row, b"".join(ALL_SCRIPTS[row.slug](MARK)))
    assert (problem is None) == (row.slug == SIBLING)
    assert problem is None or "puts together" in problem


@pytest.mark.parametrize("row", ROWS)
def test_a_gateway_that_says_nothing_of_the_answer_does_not_pass_by_that(row):
    told = b'{"choices":[{"index":0,"message":{"content":"nothing"}}]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(told)
    assert "lacks" in (problem_of(row, head + told) or "")


def test_no_secret_of_the_suite_is_anybodys():
    assert (CARD, KEY[4:], CANARY) == ("4111 1111 1111 1111", "IOSFODNN7EXAMPLE", "quartz-lantern-7")
