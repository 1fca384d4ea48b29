# SPDX-License-Identifier: Apache-2.0
"""Answers that tell a secret: in pieces, in places beside the answer's text, in tokens, and in disguise.

The card number and the access key are published for tests. CANARY is a secret that only policy can know: it has to be
put into a list of known secrets before case 60 is run.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from conformance.scripts import DONE, SCRIPTS, Played, Script, chunked, http, stream

CARD: Final = "4111 1111 1111 1111"
KEY: Final = "AKIA" + "IOSFODNN7EXAMPLE"
CANARY: Final = "quartz-lantern-7"
_END: Final = " end-of-it"

_WHOLE: Final = {"id": "chatcmpl-1", "created": 1, "model": "m"}
_CHUNK: Final = {**_WHOLE, "object": "chat.completion.chunk"}


def _choice(delta: Mapping[str, Any], *, index: int = 0, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish, **more}


def _event(*choices: Mapping[str, Any], plain: bool = False) -> bytes:
    return b"data: " + json.dumps({**_CHUNK, "choices": choices}, ensure_ascii=not plain).encode() + b"\n\n"


def _said(text: str, *, index: int = 0) -> bytes:
    return _event(_choice({"content": text}, index=index))


def _ends(*, index: int = 0, reason: str = "stop") -> bytes:
    return _event(_choice({}, index=index, finish=reason))


def _texts(*pieces: str) -> Script:
    """An answer in these pieces, each an event of its own, between the mark and the end."""
    return lambda mark: stream(*map(_said, (mark + " ", *pieces, _END)), _ends(), DONE)


def _bytewise(event: bytes, text: str) -> Script:
    """An answer of which one event arrives byte by byte where it tells `text`."""
    ahead, told, rest = event.partition(text.encode())

    def played(mark: str) -> Played:
        before, after = stream(_said(mark + " ")), stream(_said(_END), _ends(), DONE)
        head = before[:-1]  # all but the chunk that ends it
        return [*head, *chunked([ahead, *(told[at : at + 1] for at in range(len(told))), rest]), *after[1:]]

    return played


def _plain(message: Mapping[str, Any], *, says: str = "", finish: str = "stop", **more: Any) -> Script:
    def played(mark: str) -> Played:
        told = {"role": "assistant", "content": f"{mark} {says}{_END}", **message}
        choice = {"index": 0, "message": told, "finish_reason": finish, **more}
        return [http(json.dumps({**_WHOLE, "object": "chat.completion", "choices": [choice]}).encode())]

    return played


def _deltas(*deltas: Mapping[str, Any], reason: str = "stop", **more: Any) -> Script:
    return lambda mark: stream(
        _said(mark + " "), *(_event(_choice(each, **more)) for each in deltas), _said(_END), _ends(reason=reason), DONE
    )


# 53

_BESIDE_IT: Final = _event(_choice({"role": "assistant"}))
_CUTS: Final = {f"cut at {at}": _texts(CARD[:at], CARD[at:]) for at in range(1, len(CARD))}
_PIECES: Final[Mapping[str, Script]] = {
    "in one event": _texts(CARD),
    "a character an event": _texts(*CARD),
    "a character an event, with empty ones between": _texts(*(piece for each in CARD for piece in (each, ""))),
    "with other members between": lambda mark: stream(
        _said(mark + " "),
        *(event for each in CARD for event in (_said(each), _BESIDE_IT, b": a comment\n\n")),
        _said(_END),
        _ends(),
        DONE,
    ),
    "a byte a read": _bytewise(_said(CARD), CARD),
    "within a character": _bytewise(_event(_choice({"content": f"é{CARD}é"}), plain=True), f"é{CARD}é"),
    "with the end of the answer": lambda mark: stream(
        _said(mark + _END + " "), _said(CARD[:-1]), _event(_choice({"content": CARD[-1:]}, finish="stop")), DONE
    ),
    "without an end of the choice": lambda mark: stream(_said(mark + _END + " "), _said(CARD), DONE),
    "an access key": _texts(*KEY),
    "behind a long text": _texts("word " * 4000, *CARD),
}  # fmt: skip
SIBLING: Final = "sibling: no secret in pieces"

# 54


def _interleaved(texts: Sequence[str]) -> Script:
    def events(mark: str) -> Iterator[bytes]:
        for index in range(len(texts)):
            yield _said(mark + " ", index=index)
        for row in range(max(map(len, texts))):
            for index, text in enumerate(texts):
                yield _said(text[row : row + 1], index=index)
        for index in range(len(texts)):
            yield _said(_END, index=index)
            yield _ends(index=index)
        yield DONE

    return lambda mark: stream(*events(mark))


_CHOICES: Final[Mapping[str, Script]] = {
    "interleaved": _interleaved([CARD, CARD]),
    "in one event for all": lambda mark: stream(
        _event(*(_choice({"content": mark + " "}, index=index) for index in range(2))),
        *(_event(*(_choice({"content": each}, index=index) for index in range(2))) for each in CARD),
        _event(*(_choice({"content": _END}, index=index, finish="stop") for index in range(2))),
        DONE,
    ),
    "one ends in the middle of another": lambda mark: stream(
        _said(mark + _END),
        _said(CARD[:9], index=1),
        _ends(),
        _said(CARD[9:], index=1),
        _ends(index=1),
        DONE,
    ),
}

# 55


def _call(arguments: str, *, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments}, **more}]}


def _called(arguments: str, *, step: int = 1) -> Script:
    """A call whose arguments come in pieces of `step` characters."""
    begins = {
        "tool_calls": [
            {"index": 0, "id": "call_1", "type": "function", "function": {"name": "search", "arguments": ""}}
        ]
    }
    pieces = [_call(arguments[at : at + step]) for at in range(0, len(arguments), step)]
    return _deltas(begins, *pieces, reason="tool_calls")


def _escaped(text: str) -> str:
    return "".join(f"\\u{ord(each):04x}" for each in text)


def _called_plain(arguments: str) -> Script:
    call = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": arguments}}
    return _plain({"tool_calls": [call]}, finish="tool_calls")


_ARGUMENTS: Final[Mapping[str, Script]] = {
    "arguments, a character a piece": _called(json.dumps({"q": CARD})),
    "arguments, escaped": _called(f'{{"q": "{_escaped(CARD)}"}}', step=1),
    "arguments, cut within escapes": _called(f'{{"q": "{_escaped(CARD)}"}}', step=5),
    "arguments, as a name": _called(json.dumps({CARD: 1})),
    "arguments, deep within": _called(json.dumps({"a": [{"b": [CARD]}]}), step=2),
    "arguments that are broken": _called(f'{{"q": "{CARD}', step=3),
    "arguments, plain": _called_plain(json.dumps({"q": CARD})),
    "arguments, plain and escaped": _called_plain(f'{{"q": "{_escaped(CARD)}"}}'),
}
ARGUMENTS_BROKEN: Final = "arguments that are broken"

# 56

_BESIDE: Final[Mapping[str, Any]] = {
    "reasoning_content": CARD,
    "reasoning": CARD,
    "thinking": CARD,
    "refusal": CARD,
    "audio": {"id": "a", "transcript": CARD},
    "annotations": [{"type": "url_citation", "url_citation": {"title": CARD, "url": "https://example.com/"}}],
    "provider_specific_fields": {"thought": CARD},
    "name": CARD,
    CARD: "a name that tells",
    "x_unknown": [[CARD]],
}


def _halves(value: Any) -> tuple[Any, Any]:
    """Return `value` in two pieces as a stream would tell it."""
    if isinstance(value, dict):
        halves = {name: _halves(member) for name, member in value.items()}
        return {name: half[0] for name, half in halves.items()}, {name: half[1] for name, half in halves.items()}
    if isinstance(value, list):
        halves_of = [_halves(item) for item in value]
        return [half[0] for half in halves_of], [half[1] for half in halves_of]
    return (value[:9], value[9:]) if value == CARD else (value, "")


_FIELDS: Final[Mapping[str, Script]] = {
    f"{'its own name' if name == CARD else name}, {form}": script
    for name, value in _BESIDE.items()
    for form, script in (
        ("plain", _plain({name: value})),
        ("streamed", _deltas(*({name: half} for half in _halves(value)))),
    )
}

# 57


def _tokens(text: str) -> list[dict[str, Any]]:
    return [
        {
            "token": each,
            "logprob": -0.1,
            "bytes": list(each.encode()),
            "top_logprobs": [{"token": each, "logprob": -0.1, "bytes": list(each.encode())}],
        }
        for each in (text[at : at + 3] for at in range(0, len(text), 3))
    ]


_OF_OLD: Final[Mapping[str, Any]] = {
    "tokens": [CARD[at : at + 3] for at in range(0, len(CARD), 3)],
    "token_logprobs": [-0.1] * 7,
    "top_logprobs": [{CARD[at : at + 3]: -0.1} for at in range(0, len(CARD), 3)],
    "text_offset": list(range(0, len(CARD), 3)),
}
_LOGPROBS: Final[Mapping[str, Script]] = {
    "tokens, plain": _plain({}, logprobs={"content": _tokens(CARD), "refusal": None}),
    "tokens of a refusal, plain": _plain({}, logprobs={"content": None, "refusal": _tokens(CARD)}),
    "tokens of old, plain": _plain({}, logprobs=_OF_OLD),
    "tokens of the prompt, plain": _plain({}, prompt_logprobs=[{"1": {"decoded_token": CARD}}]),
    "tokens, streamed": lambda mark: stream(
        _said(mark + " "),
        *(
            _event(_choice({"content": each["token"]}, logprobs={"content": [each], "refusal": None}))
            for each in _tokens(CARD)
        ),
        _said(_END),
        _ends(),
        DONE,
    ),
    "tokens of old, streamed": lambda mark: stream(
        _said(mark + " "),
        *(_event(_choice({"content": each}, logprobs={"tokens": [each]})) for each in _OF_OLD["tokens"]),
        _said(_END),
        _ends(),
        DONE,
    ),
}  # fmt: skip

# 60

DISGUISES: Final[Mapping[str, str]] = {
    "backwards": CANARY[::-1],
    "spaced": " ".join(CANARY),
    "a character a line": "\n".join(CANARY),
    "with hyphens": "-".join(CANARY),
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "base64 of more": base64.b64encode(f"it is {CANARY}, you see".encode()).decode(),
    "hexadecimal": CANARY.encode().hex(),
    "percent signs": "".join(f"%{each:02x}" for each in CANARY.encode()),
    "entities": "".join(f"&#{each};" for each in CANARY.encode()),
    "full width": "".join(chr(ord(each) + 0xFEE0) if each.isalnum() else each for each in CANARY),
    "letters that look alike": CANARY.replace("a", "\u0430").replace("e", "\u0435"),
    "with nothing between": "\u200b".join(CANARY),
    "as it is": CANARY,
}
_DISGUISED: Final[Mapping[str, Script]] = {
    f"{name}, {form}": script
    for name, text in DISGUISES.items()
    for form, script in (("plain", _plain({}, says=text)), ("streamed", _texts(*text)))
}

SECRET_SCRIPTS: Final[Mapping[int, Mapping[str, Script]]] = {
    53: {**_PIECES, **_CUTS, SIBLING: _texts(*"1234 5678 9012 3456")},
    54: _CHOICES,
    55: _ARGUMENTS,
    56: _FIELDS,
    57: _LOGPROBS,
    60: _DISGUISED,
}
ALL_SCRIPTS: Final[Mapping[str, Script]] = {
    **SCRIPTS,
    **{name: script for of_case in SECRET_SCRIPTS.values() for name, script in of_case.items()},
}
