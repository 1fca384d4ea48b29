# SPDX-License-Identifier: Apache-2.0
"""Where Gatehouse differs on purpose from what a row of the HTTP corpus expects, each with the reason.

A rule is named by the number that stands in the row's name. A row that is not covered here and differs fails its test.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

_FIELD: Final = "what is objected to is the value of a field, and no field of the client's is forwarded"
_NAME: Final = "what is objected to is a file's name: it is a route here only because this policy lists every path"

# Rows that are to be refused, and are forwarded: a firewall for web sites sees what is no matter of framing or path.
FORWARDED_ALTHOUGH_REJECT: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            *("920190", "920200", "920201", "920210", "920275", "920300", "920310", "920311", "920320", "920330"),
            *("920350", "920450", "920451", "920470", "920510", "920520", "920521", "920600", "920660"),
            *("921130", "921140", "921200", "921230", "921250", "930100", "930110", "930121"),
        ),
        _FIELD,
    ),
    **dict.fromkeys(("920440", "920500", "930130", "930140"), _NAME),
    "directory_traversal.txt": _NAME,
    "dotdotpwn.txt": "dots and slashes are spelt `0x2e`, which no server decodes in a path: a plain segment",
    "dot-slash-PathTraversal_and_LFI_pairing.txt": "slashes are spelt `0x2f`, as above",
}


@dataclass(frozen=True)
class Deviation:
    """A code with which a legitimate request is refused: `holds` tells of its bytes that the reason is there."""

    reason: str
    holds: Callable[[bytes], bool]


def _target(raw: bytes) -> bytes:
    return raw.split(b"\r\n", 1)[0].split(b" ")[1]


def _has(pattern: bytes) -> Callable[[bytes], bool]:
    return lambda raw: (
        re.search(pattern, raw.partition(b"\r\n\r\n")[0] + b"\r\n", re.IGNORECASE | re.MULTILINE) is not None
    )


def _has_not(pattern: bytes) -> Callable[[bytes], bool]:
    has = _has(pattern)
    return lambda raw: not has(raw)


_NO_CHAT: Final = "the body is no chat request, which is what this policy's routes take"

REFUSED_ALTHOUGH_SAFE: Final[Mapping[str | None, Deviation]] = {
    "path-not-canonical": Deviation(
        "a target with a query, an escape, a trailing slash or dots has other readings, and no route has one",
        lambda raw: re.fullmatch(rb"(/[A-Za-z0-9._~-]+)+", _target(raw)) is None or b"/.." in _target(raw),
    ),
    "route-not-listed": Deviation(
        "inference is asked with GET and POST, and no route has another method", _has_not(rb"\A(GET|POST) ")
    ),
    "media-type-not-permitted": Deviation(
        "a body is JSON in UTF-8, or it could not be examined",
        _has_not(rb"^content-type:[ \t]*application/json(;[ \t]*charset=\"?utf-8\"?)?[ \t]*\r$"),
    ),
    "body-not-json": Deviation(_NO_CHAT, _has_not(rb"\A\w+ /v1/chat/completions ")),
    "field-invalid": Deviation(_NO_CHAT, _has_not(rb"\A\w+ /v1/chat/completions ")),
    "field-not-permitted": Deviation(_NO_CHAT, _has_not(rb"\A\w+ /v1/chat/completions ")),
    "body-not-permitted": Deviation("a GET has no body", _has(rb"\AGET ")),
    "protocol-not-permitted": Deviation("a proxy's form of target is not taken", _has(rb"\A\w+ https?://")),
    "malformed-request": Deviation(
        "a request names its host, by letters and without escapes, and a target has no fragment",
        lambda raw: b"#" in _target(raw) or _has_not(rb"^host:[ \t]*[][\w.:-]+[ \t]*\r$")(raw),
    ),
    # HEAD: its refusal has no body that could name a code.
    None: Deviation("inference is asked with GET and POST, and no route has another method", _has(rb"\AHEAD ")),
}
