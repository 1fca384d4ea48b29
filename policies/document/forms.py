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

_PORT: Final = r"(?::[1-9][0-9]{0,4})?"
_HOST: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
# What never leaves the machine needs no TLS.
_LOOPBACK: Final = r"(?:127\.0\.0\.1|localhost|\[::1\])"
_ORIGIN: Final = rf"(?:https://{_HOST}|http://{_LOOPBACK}){_PORT}"
# No user, no fragment, no back slash, nothing that a client would have to encode first.
_URL_PATH: Final = r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"
_URL_QUERY: Final = r"(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
_HTTPS: Final = "a URL that begins with https:// (http:// for this machine's loopback only), without user and fragment"
_ALGORITHMS: Final = "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA"

ID: Final = Form("id", re.compile(_ID), "lower-case words joined by '-', at most 64 characters", 64)
REASON: Final = Form("reason code", re.compile(_ID), "lower-case words joined by '-', at most 64 characters", 64)
VERSION: Final = Form("version", re.compile(r"[^\x00-\x1f\x7f]{1,64}"), "1 to 64 characters on one line")
LINE: Final = Form("text", re.compile(r"[^\x00-\x1f\x7f]{1,512}"), "1 to 512 characters on one line")
# As long as the longest text of a request that anybody writes by hand, so that a release of a hundred stays small.
PROMPT: Final = Form("prompt", re.compile(r"(?s).+"), "1 to 65536 characters", 64 * 1024)
DIGEST: Final = Form("digest", re.compile(r"sha256:[0-9a-f]{64}"), "sha256: and 64 hexadecimal digits", 71)
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
NAME_PREFIX: Final = Form("prefix", re.compile(r"[A-Za-z0-9._@-]{0,64}"), "at most 64 of A-Z a-z 0-9 . _ @ -")
VALUE: Final = Form("value", re.compile(r"[^\x00-\x1f\x7f]{1,512}"), "1 to 512 characters on one line")
CERTIFICATE_PREFIX: Final = Form("prefix", re.compile(r"[!-~]{0,512}"), "at most 512 characters without space")
CLAIM: Final = Form("claim", re.compile(r"[!-~]{1,256}"), "1 to 256 characters without space")
ALGORITHM: Final = Form("algorithm", re.compile(r"(?:RS|PS)(?:256|384|512)|ES256|ES384|EdDSA"), _ALGORITHMS)
ISSUER: Final = Form("issuer", re.compile(rf"{_ORIGIN}{_URL_PATH}"), _HTTPS, 512)
JWKS: Final = Form("jwks", re.compile(rf"discovery|{_ORIGIN}{_URL_PATH}{_URL_QUERY}"), f"'discovery' or {_HTTPS}", 512)
MOMENT: Final = Form(
    "time",
    re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"),
    'a time in UTC such as "2026-12-01T00:00:00Z"',
)
PATH: Final = Form(
    "path", re.compile(rf"(/{_SEGMENT})+"), "'/' and segments of A-Z a-z 0-9 . _ ~ -, none of them '.' or '..'"
)
KIND: Final = Form(
    "kind", re.compile(rf"[A-Z][A-Z0-9_]*|secret\.{_ID}"), "upper-case letters, digits and '_', or secret.NAME", 64
)
# What is wrong with an expression is said by those who read it.
EXPRESSION: Final = Form("expression", re.compile(r"(?s).+"), "1 to 4096 characters", 4096)
CHARACTERS: Final = Form("class of characters", re.compile(r"[ -~]*"), "the inside of a class of ASCII characters", 128)
CONTEXT: Final = Form("context word", re.compile(r"[^\x00-\x1f\x7f]{2,64}"), "2 to 64 characters on one line", 64)
SAMPLE: Final = Form("sample", re.compile(r"(?s).+"), "1 to 4096 characters", 4096)
PHRASE: Final = Form("phrase", re.compile(r"[^\x00-\x1f\x7f]{3,256}"), "3 to 256 characters on one line", 256)
LITERAL: Final = Form("literal", re.compile(r"(?s).{3,256}"), "3 to 256 characters", 256)
DETECTOR: Final = Form(
    "detector", re.compile(rf"(?:{_ID}/)?{_ID}"), "lower-case words joined by '-', or POLICY/NAME", 129
)
FIELD: Final = Form("field name", re.compile(r"[a-z][a-z0-9_]{0,63}"), "lower-case letters, digits and '_', at most 64")
TOOL: Final = Form(
    "tool",
    re.compile(r"[A-Za-z0-9._-]{1,64}|[A-Za-z0-9._-]{0,63}\*"),
    "1 to 64 of the characters A-Z a-z 0-9 . _ -, of which the last may be a '*' for any rest",
)
CALLED_TOOL: Final = Form("tool", re.compile(r"[^\x00-\x1f\x7f]{1,128}"), "1 to 128 characters on one line")
ARGUMENT: Final = Form("argument", re.compile(r"[^\x00-\x1f\x7f]{1,128}"), "1 to 128 characters on one line")
