# SPDX-License-Identifier: Apache-2.0
"""What a client is told depends on the code alone, and has the shape that OpenAI's clients read."""

import json

import pytest

from policies.contracts.reasons import REASONS
from proxy_addons.core.verdict_http import refusal_of, stream_error_event, typed_error_event


@pytest.mark.parametrize("code", REASONS)
def test_each_reason_is_told_with_its_status_type_and_message(code):
    told, spec = refusal_of(code, "req_1"), REASONS[code]
    error = json.loads(told.content)["error"]
    assert told.status == spec.status
    assert error == {
        "message": spec.message,
        "type": spec.error_type,
        "code": code,
        "param": None,
        "request_id": "req_1",
    }


def test_a_guards_own_code_is_a_403_with_the_guards_message():
    told = refusal_of("max-tokens-over-cap", "req_1", message="Ask for less.")
    assert told.status == 403
    assert json.loads(told.content)["error"]["message"] == "Ask for less."


@pytest.mark.parametrize(
    ("code", "retry_after_s", "want"),
    [
        ("overloaded", None, b"1"),
        ("draining", None, b"1"),
        ("rate-limited", 7, b"7"),
        ("rate-limited", None, None),
        ("access-denied", 7, None),
    ],
)
def test_when_to_come_back_is_said_only_where_coming_back_helps(code, retry_after_s, want):
    assert dict(refusal_of(code, "req_1", retry_after_s=retry_after_s).fields).get(b"Retry-After") == want


def test_who_is_not_known_is_told_how_to_say_who_they_are():
    assert dict(refusal_of("credentials-missing", "req_1").fields)[b"WWW-Authenticate"] == b"Bearer"


def test_in_a_stream_the_same_body_is_an_event():
    event = stream_error_event("answer-blocked", "req_1")
    assert event == b"data: " + refusal_of("answer-blocked", "req_1").content + b"\n\n"


def test_in_a_stream_of_typed_events_it_has_its_members_in_both_places():
    name, data = typed_error_event("answer-blocked", "req_1", sequence_number=7).removesuffix(b"\n\n").split(b"\n")
    told = json.loads(data.removeprefix(b"data: "))
    error = json.loads(refusal_of("answer-blocked", "req_1").content)["error"]
    assert name == b"event: error"
    assert told == {
        "type": "error",
        "code": "answer-blocked",
        "message": error["message"],
        "param": None,
        "error": error,
        "sequence_number": 7,
    }
