# SPDX-License-Identifier: Apache-2.0
"""The forms of names in policy documents, each with the words that explain it."""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Form:
    """A text has this form if `pattern` covers it whole and it has at most `longest` characters."""

    name: str
    pattern: re.Pattern[str]
    words: str
    longest: int = 512

    def fits(self, text: str) -> bool:
        return len(text) <= self.longest and self.pattern.fullmatch(text) is not None


_ID: Final = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
_NAME: Final = r"[A-Za-z0-9._@-]{1,128}"
_SEGMENT: Final = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+"

ID: Final = Form("id", re.compile(_ID), "lower-case words joined by '-', at most 64 characters", 64)
REASON: Final = Form("reason code", re.compile(_ID), "lower-case words joined by '-', at most 64 characters", 64)
VERSION: Final = Form("version", re.compile(r"[^\x00-\x1f\x7f]{1,64}"), "1 to 64 characters on one line")
LINE: Final = Form("text", re.compile(r"[^\x00-\x1f\x7f]{1,512}"), "1 to 512 characters on one line")
TEXT: Final = Form("text", re.compile(r"(?s).*"), "any text", 256 * 1024)
MEMBER: Final = Form("member", re.compile(rf"(user|service):{_NAME}"), "user:NAME or service:NAME")
SUBJECT: Final = Form(
    "subject", re.compile(rf"\*|(user|service|group):{_NAME}"), "user:NAME, service:NAME, group:NAME or '*'"
)
GROUP: Final = Form("group", re.compile(_NAME), "1 to 128 of the characters A-Z a-z 0-9 . _ @ -")
OPERATION: Final = Form("operation", re.compile(r"\*|[a-z]+(\.[a-z]+)*"), "words joined by '.', or '*'")
ONE_OPERATION: Final = Form("operation", re.compile(r"[a-z]+(\.[a-z]+)*"), "lower-case words joined by '.'")
MODEL: Final = Form(
    "model", re.compile(r"\*|[A-Za-z0-9._:/-]{1,128}"), "1 to 128 of the characters A-Z a-z 0-9 . _ : / -, or '*'"
)
ONE_MODEL: Final = Form("model", re.compile(r"[^\x00-\x1f\x7f]{1,128}"), "1 to 128 characters")
PATH: Final = Form(
    "path", re.compile(rf"(/{_SEGMENT})+"), "'/' and segments of A-Z a-z 0-9 . _ ~ -, none of them '.' or '..'"
)
FIELD: Final = Form("field name", re.compile(r"[a-z][a-z0-9_]{0,63}"), "lower-case letters, digits and '_', at most 64")
