# SPDX-License-Identifier: Apache-2.0
"""What is asked has what was said, and no more."""

from controlplane.cli.explanation import question

NOTHING = {
    "model": None,
    "groups": (),
    "max_tokens": None,
    "tools": (),
    "body_bytes": None,
    "stream": False,
    "at": None,
}


def test_what_was_not_said_is_left_out():
    asked = question(subject="user:bob", operation="models.list", **NOTHING)
    assert asked == {"subject": "user:bob", "operation": "models.list", "facts": {}}


def test_what_was_said_is_asked():
    said = NOTHING | {"model": "parrot", "groups": ("ops",), "max_tokens": 0, "tools": ("find",), "stream": True}
    asked = question(subject="user:bob", operation="chat.completions", **said | {"at": "2026-11-20T18:00:00Z"})
    assert asked == {
        "subject": "user:bob",
        "operation": "chat.completions",
        "model": "parrot",
        "groups": ["ops"],
        "time": "2026-11-20T18:00:00Z",
        "facts": {"max_tokens": 0, "tools": ["find"], "stream": True},
    }
