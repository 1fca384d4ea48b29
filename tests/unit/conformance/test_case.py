# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from conformance.case import Ask, Target, chunks
from conformance.cases import CASES
from conformance.secret_scripts import ALL_SCRIPTS

TARGET = Target(host="::1", port=8080, tls=False, key="k", model="parrot")


def test_every_number_of_the_catalogue_is_there_once():
    assert [case.number for case in CASES] == list(range(1, 71))


def test_a_case_has_rows_or_says_why_it_has_none():
    assert [case.number for case in CASES if bool(case.count) == bool(case.where)] == []


def test_rows_of_a_case_have_names_of_their_own():
    twice = [
        case.number
        for case in CASES
        if len({row.slug for row in (*case.rows, *case.alterations, *case.checks)}) != case.count
    ]
    assert twice == []


def test_every_row_can_fail_and_can_pass():
    wants = [want for case in CASES for row in case.rows for want in (row.want, row.then) if want is not None]
    assert [want for want in wants if not (want.refused or want.answered)] == []


def test_every_script_is_played_in_some_row():
    asked = {row.slug for case in CASES for row in case.rows if row.scripted}
    assert asked == set(ALL_SCRIPTS)


@pytest.mark.parametrize("key", ["k", None])
def test_a_plain_request_is_well_formed(key):
    target = Target(host="gateway.example", port=80, tls=False, key=key, model="parrot")
    head, _, body = Ask().render(target, "mark-1").partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[:2] == [b"POST /v1/chat/completions HTTP/1.1", b"Host: gateway.example:80"]
    assert f"Content-Length: {len(body)}".encode() in lines
    assert (b"Authorization: Bearer k" in lines) == (key is not None)
    assert json.loads(body) == {"model": "parrot", "messages": [{"role": "user", "content": "mark-1"}]}


def test_an_address_of_version_6_is_named_in_brackets():
    assert TARGET.fill(b"<HOST>", "") == b"[::1]:8080"


def test_chunks_hold_what_they_say():
    assert chunks(b"abc", size=2, extension=b";x", trailer=b"T: 1\r\n") == b"2;x\r\nab\r\n1;x\r\nc\r\n0\r\nT: 1\r\n\r\n"
