# SPDX-License-Identifier: Apache-2.0
"""Cases 53 to 57 and 60: a secret in an answer, however it is told. What counts is what a client puts together.

The gateway's policy has to take card numbers and cloud access keys out of answers; for case 60 it has to know
`conformance.secret_scripts.CANARY` as a secret, also in disguise, and the suite has to be told so.
"""

from dataclasses import replace
from typing import Any, Final

from conformance.case import Ask, Case, Row, Upstream, Want, chat
from conformance.secret_scripts import ARGUMENTS_BROKEN, CANARY, CARD, DISGUISES, KEY, SECRET_SCRIPTS, SIBLING

_ANY: Final = Upstream(requests=3)
_TOOLS: Final = [{"type": "function", "function": {"name": "search"}}]
# A gateway may refuse the whole or break off; what it lets leave, it lets leave without the secret.
_UNSAID: Final = Want(
    answered=frozenset({200, 403, 502}),
    present=(b"<MARK>",),
    unsaid=(CARD, CARD.replace(" ", ""), KEY, CARD[::-1]),
)


def _row(name: str, want: Want, **asked: Any) -> Row:
    stream = not name.endswith("plain") and "plain and" not in name
    body = chat(messages=[{"role": "user", "content": f"script: {name} <MARK>"}], stream=stream, **asked)
    return Row(slug=name, steps=(Ask(body=body),), want=want, upstream=_ANY, scripted=True)


def _of_case(number: int) -> tuple[Row, ...]:
    return tuple(_row(name, _UNSAID) for name in SECRET_SCRIPTS[number] if name != SIBLING)


def _disguised(name: str) -> Row:
    text = DISGUISES[name.rpartition(", ")[0]]
    return replace(_row(name, replace(_UNSAID, unsaid=(CANARY, text))), needs_canary=True)


SECRET_CASES: Final = (
    Case(
        number=53,
        title="A secret in pieces is a secret: cut over events, reads, bytes of a character and deltas",
        rows=(
            *_of_case(53),
            _row(SIBLING, Want(answered=frozenset({200}), present=(b"<MARK>", b"1234 5678 9012 3456 end-of-it"))),
        ),
    ),
    Case(
        number=54,
        title="Choices that interleave are examined each by itself",
        rows=tuple(_row(name, _UNSAID, n=2) for name in SECRET_SCRIPTS[54]),
    ),
    Case(
        number=55,
        title="Arguments of tools are examined as what they say, and leave as JSON",
        rows=tuple(
            _row(name, replace(_UNSAID, arguments=name != ARGUMENTS_BROKEN), tools=_TOOLS)
            for name in SECRET_SCRIPTS[55]
        ),
    ),
    Case(number=56, title="No field beside the answer's text tells what the text may not", rows=_of_case(56)),
    Case(number=57, title="No token, byte or log probability spells the text again", rows=_of_case(57)),
    Case(
        number=60,
        title="A known secret is one backwards, spaced, a character a line and encoded",
        rows=tuple(map(_disguised, SECRET_SCRIPTS[60])),
    ),
)
