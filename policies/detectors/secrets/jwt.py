# SPDX-License-Identifier: Apache-2.0
"""JSON Web Tokens: signed (three parts), unsigned (the third is empty) and encrypted (five)."""

import base64
import binascii
import json
import re
from typing import Final

from policies.detectors.contract import Candidate, Detector, Pattern
from policies.detectors.secrets.form import ALNUM

GROUP: Final = "secrets-jwt"

# What a header names, in the order of how often it comes first.
_MEMBER: Final = re.compile(rb'\{\s*"(?:alg|typ|kid|enc|x5t|x5u|x5c|cty|jku|jwk|zip|crit|iat|exp|ver|b64|jwt)')
_HEADER: Final = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"


def _judge(candidate: Candidate) -> float | None:
    """Take what has the header of a token: JSON that says by which algorithm; less surely, where it is not whole."""
    head = candidate.value.partition(".")[0]
    try:
        header = base64.urlsafe_b64decode(head[: len(head) // 4 * 4] + _padded(head))
    except (binascii.Error, ValueError):
        return None
    try:
        said = json.loads(header)
    except (ValueError, RecursionError):
        return 0.7 if _MEMBER.match(header) else None
    if isinstance(said, dict) and "alg" in said:
        return 1.0
    return 0.7 if _MEMBER.match(header) else None


def _padded(head: str) -> str:
    rest = head[len(head) // 4 * 4 :]
    return rest + "=" * (-len(rest) % 4) if len(rest) > 1 else ""


JWT: Final = Detector(
    name="jwt",
    kind="secret.jwt",
    group=GROUP,
    patterns=(
        Pattern(
            # `eyJ` is base64 of `{"`, `ewo` and `ewog` of `{` with a line after it.
            expression=r"e(?:yJ|yI|wo)[A-Za-z0-9_-]{10,}\.e[wy][A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{0,}",
            alone="A-Za-z0-9_-",
        ),
        Pattern(
            expression=r"eyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]{0,}){3}\.[A-Za-z0-9_-]{16,100}",
            alone="A-Za-z0-9_-",
        ),
    ),
    judge=_judge,
    finds=(
        f"{_HEADER}.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{ALNUM[:43]}",
        f"Authorization: Bearer {_HEADER}.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{ALNUM[20:63]}",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJleGFtcGxlIn0.",
        f"it=eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..{ALNUM[:16]}.{ALNUM[20:60]}.{ALNUM[:22]}",
    ),
    ignores=(
        f"{_HEADER}.eyJzdWIiOiIxMjM0NTY3ODkwIn0",
        f"{_HEADER}",
        f"eyJzdWIiOiIxMjM0NTY3ODkwIn0.ey{ALNUM[:30]}.{ALNUM[:43]}",
        "eyJust.eyAsking.nothing",
    ),
)
