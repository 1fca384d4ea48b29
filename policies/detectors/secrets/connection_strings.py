# SPDX-License-Identifier: Apache-2.0
"""Passwords within addresses: `postgres://user:password@host`, and so for every scheme.

Passwords in lists (`Server=…;Password=…;`) are found as all others that stand behind their name: see `assigned.py`.
"""

import re
from typing import Final

from policies.detectors.contract import Candidate, Detector, Pattern
from policies.detectors.secrets.randomness import is_stand_in

GROUP: Final = "secrets-connection-strings"

# What documentation writes in the place of a password.
_STAND_INS: Final = frozenset(
    {"pass", "password", "passwd", "pwd", "secret", "token", "user", "username", "port", "***"}
)
_VARIABLE: Final = re.compile(r"[$%{<\[(]|[A-Z_]+\Z|:?[0-9]{1,5}\Z")


def _judge(candidate: Candidate) -> float | None:
    value = candidate.value
    if value.lower() in _STAND_INS or _VARIABLE.match(value) or is_stand_in(value):
        return None
    return 0.9


CONNECTION_STRING: Final = Detector(
    name="connection-string",
    kind="secret.connection-string",
    group=GROUP,
    patterns=(
        Pattern(
            expression=r"""://[^\s/:@"'<>?#\\]{0,60}:(?P<value>[^\s/@"'<>\\]{3,})@[A-Za-z0-9\[]""",
            alone="",
        ),
    ),
    judge=_judge,
    finds=(
        "postgres://app:" + "s3cr3t-Pa55@db.example.com:5432/app",
        "DATABASE_URL=mysql://root:" + "hunter2@localhost/db",
        "mongodb+srv://admin:" + "Xy7!kQ@cluster0.example.net/?retryWrites=true",
        "redis://:" + "c0rrecthorse@cache:6379/0",
        "amqp://guest:" + "gu3st99@[::1]:5672/%2F",
        "https://cafebabe:" + "deadbeef@gems.example.com/",
    ),
    ignores=(
        "postgres://user:password@localhost/db",
        "redis://:${REDIS_PASSWORD}@cache:6379/0",
        "http://proxy.example.com:8080/a@b",
        "see https://example.com:8443/@user",
        "mysql://root:<password>@localhost",
        "postgres://USER:PASSWORD@HOST:PORT/NAME",
    ),
)
