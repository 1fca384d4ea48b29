# SPDX-License-Identifier: Apache-2.0
"""User and password in a URL (RFC 3986, `scheme://user:password@host`): the value is both, without the host."""

import re
from typing import Final

from policies.detectors.contract import Candidate, Detector, Pattern

# What stands for a password in documentation, and what redaction leaves.
_PLACEHOLDER: Final = re.compile(
    r"[<${%*\[].*|.*[>}\]]|x+|\.+|…|(?:your|my|the|db)?[_-]?(?:pass(?:word|wd)?|pwd|pw|secret|token)|user(?:name)?",
    re.IGNORECASE,
)


def _judge(candidate: Candidate) -> float | None:
    _, _, password = candidate.value.partition(":")
    return None if _PLACEHOLDER.fullmatch(password) else 1.0


URL_CREDENTIALS: Final = Detector(
    name="url-credentials",
    kind="secret.url-credentials",
    group="credentials",
    patterns=(
        Pattern(
            expression=(
                r"[A-Za-z][A-Za-z0-9+.-]{1,30}://"
                r"(?P<value>[^\s/@:?#\"'<>\[\]\\`]{0,128}:[^\s/@?#\"'<>\[\]\\`]{1,256})@[A-Za-z0-9\[]"
            ),
            alone="",
            alone_before="A-Za-z0-9",
        ),
    ),
    judge=_judge,
    finds=(
        "https://alice:correct-horse@example.com/path",
        "postgres://app:s3cr3t-9@db.internal:5432/app",
        "redis://:hunter2!@[::1]:6379/0",
        "git clone https://bob:p%40ss@git.example.org/x.git now",
    ),
    ignores=(
        "https://example.com:8080/@alice",
        "https://alice@example.com/",
        "https://user:password@example.com/",
        "https://alice:<password>@example.com",
        "https://alice:${PASSWORD}@example.com",
        "ssh://git@github.com:22/x",
        "https://alice:********@example.com",
    ),
)
