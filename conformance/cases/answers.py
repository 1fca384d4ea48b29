# SPDX-License-Identifier: Apache-2.0
"""Cases 58 and 61 to 63: what an upstream should not say. The recording upstream plays each answer on demand."""

from dataclasses import replace
from typing import Final

from conformance.case import ANSWERED, Ask, Case, Row, Upstream, Want, chat
from conformance.scripts import LEAK

_DONE: Final = b"data: [DONE]"
_ERRORS: Final = frozenset({400, 403, 413, 422, 429, 500, 502, 503, 504})
# What a gateway makes of an upstream's failure: an error in its own words.
_OWN_WORDS: Final = Want(answered=_ERRORS, absent=(LEAK,))
# Ended early: whatever was sent, no leak and no sign that the answer was whole.
_CUT: Final = Want(answered=frozenset({200, 502, 504}), absent=(LEAK, _DONE), cut=True)
_WHOLE: Final = Want(answered=frozenset({200}), present=(b"<MARK>", b"end-of-it", _DONE), absent=(LEAK,))
_PLAIN: Final = Want(answered=frozenset({200}), present=(b"<MARK>",), absent=(LEAK,))
_PLAIN_OR_ERROR: Final = Want(answered=_ERRORS | {200}, present=(b"<MARK>",), absent=(LEAK,))
_ANY: Final = Upstream(requests=3)


def _script(name: str, want: Want, *, stream: bool, then: Want | None = None) -> Row:
    ask = Ask(body=chat(messages=[{"role": "user", "content": f"script: {name} <MARK>"}], stream=stream))
    steps = (ask,) if then is None else (ask, Ask())
    return Row(slug=name, steps=steps, want=want, then=then, upstream=_ANY, scripted=True)


def _plain(*names: str, want: Want) -> tuple[Row, ...]:
    return tuple(_script(name, want, stream=False) for name in names)


def _streamed(*names: str, want: Want) -> tuple[Row, ...]:
    return tuple(_script(name, want, stream=True) for name in names)


ANSWER_CASES: Final = (
    Case(
        number=58,
        title="An upstream's errors are told in the gateway's words, without its text or address",
        rows=(
            *_plain(
                "error-500",
                "error-400",
                "error-404-page",
                "error-429",
                "error-reason",
                "ok-but-error",
                "text",
                want=_OWN_WORDS,
            ),
            *_streamed("error-event", want=_CUT),
        ),
    ),
    Case(
        number=61,
        title="Events are written anew: no line of the upstream's passes as it is",
        rows=(
            *_streamed("content-with-events", want=replace(_WHOLE, absent=(LEAK, b"\n\ndata: x"))),
            *_streamed("named-event", "id-and-retry", want=replace(_WHOLE, answered=frozenset({200}))),
            *_streamed("after-done", want=Want(answered=frozenset({200}), present=(b"<MARK>",), absent=(LEAK,))),
        ),
    ),
    Case(
        number=62,
        title="A stream that breaks off or cannot be read ends with an error, and never as if it were whole",
        rows=(
            *_streamed(
                "without-done",
                "reset",
                "closed-within-event",
                "event-no-json",
                "event-no-object",
                "endless-event",
                "chunk-garbage",
                want=_CUT,
            ),
            *_streamed("comments", "crlf", want=_WHOLE),
        ),
    ),
    Case(
        number=63,
        title="No field of the upstream's passes, and its framing decides nothing",
        rows=(
            *_plain("cookies", "server", "openai-fields", "cross-origin", "early-hints", want=_PLAIN),
            *_plain("redirect", "switching", "endless-head", want=_OWN_WORDS),
            *_plain("gzip", "two-lengths", "length-and-chunks", "short", want=_PLAIN_OR_ERROR),
            _script("second-answer", _PLAIN_OR_ERROR, stream=False, then=replace(ANSWERED, absent=(LEAK,))),
        ),
    ),
)
