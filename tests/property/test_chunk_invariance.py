# SPDX-License-Identifier: Apache-2.0
"""However the upstream cut its bytes, what leaves is the same, and no prefix of it ever holds a forbidden span."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.snapshot import Dialect, RedactionAction
from policies.detectors.catalogue import OPT_IN
from policies.detectors.contract import Detector
from policies.detectors.registry import DETECTORS
from policies.redaction.engine import ActiveRules
from tests.streams import (
    CARD,
    EMAIL,
    KEY,
    by_length,
    error_of,
    event,
    events,
    forbidden,
    left,
    rules,
    said,
    stream,
    texts,
    told,
    wire,
)

# One detector of each group: every sample of every detector is cut in tests/unit/policies/redaction/test_stream.py.
SAMPLES = [
    pytest.param(each, each.finds[0], id=each.name)
    for each in {each.group: each for each in DETECTORS if each.group not in OPT_IN}.values()
]
NOISE_BEFORE = "x9 "
NUMBERED = re.compile(r"(?<=[a-z]):[0-9]{1,4}\]")
NUMBER = re.compile(NUMBERED.pattern.encode())
FIELDS = ["content", "reasoning_content", "refusal", "musings"]
ARGUMENTS = ".delta.tool_calls[0].function.arguments"
TEXT = f"Höre: {CARD}, {EMAIL} und {KEY}. 漢字 😀\n-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----\nEnde."
SECRETS = (CARD, EMAIL, KEY, "4111111111111111", "MIIEvQIBADAN")


def saying(pieces: Iterable[str], *, index: int = 0, field: str = "content") -> list[Any]:
    return [
        *(event(said({field: piece}, index=index)) for piece in pieces),
        event(said({}, index=index, finish="stop")),
    ]


def call(arguments: str, **more: Any) -> dict[str, Any]:
    return event(said({"tool_calls": [{"index": 0, "function": {"arguments": arguments}, **more}]}))


def called(pieces: Iterable[str]) -> list[Any]:
    begun = call("", id="call_1", type="function")
    return [begun, *(call(piece) for piece in pieces), event(said({}, finish="tool_calls"))]


def legacy(pieces: Iterable[str]) -> list[Any]:
    ended = event({"index": 0, "text": "", "finish_reason": "stop"})
    return [*(event({"index": 0, "text": piece, "finish_reason": None}) for piece in pieces), ended]


def answer(answered: list[Any], *, active: ActiveRules | None = None, dialect: Dialect = Dialect.CHAT) -> list[bytes]:
    """Return what leaves after each event, each of which comes by itself."""
    return left([wire(each, done=False) for each in answered] + [wire()], stream(active, dialect))


def escaped(text: str) -> str:
    """Return `text` as within a JSON string, each character as an escape."""
    return "".join(f"\\u{ord(character):04x}" for character in text)


def check(pieces: list[bytes], *, field: str, whole: str, spans: Iterable[str]) -> None:
    """Check that a text grew into `whole`, and never had a forbidden span or anything that is not of `whole`."""
    so_far = ""
    for piece in pieces:
        so_far += texts(events(piece)).get(field, "") if piece else ""
        assert whole.startswith(so_far)
        assert not [span for span in spans if span in so_far]
    assert whole == so_far


INTERLEAVED = [
    each
    for pair in zip(saying(by_length(TEXT, 25)), saying(by_length(TEXT, 25), index=1), strict=True)
    for each in pair
]
STREAMS = {
    "seven-characters-an-event-with-crlf": wire(*saying(by_length(TEXT, 7)), end="\r\n"),
    "carriage-returns-and-escapes": wire(*saying(by_length(TEXT, 7)), end="\r", ascii_only=True),
    "byte-order-mark-and-comments": b"\xef\xbb\xbf: hello\n\n" + wire(*saying(by_length(TEXT, 9))),
    "two-choices-interleaved": wire(*INTERLEAVED),
    "tool-call": wire(*called(by_length(json.dumps({"to": EMAIL, "card": 4111111111111111}), 4))),
    "ends-without-done": wire(*saying(by_length(TEXT, 16)), done=False),
    "broken-json-at-the-end": wire(*saying(by_length(TEXT, 16)), done=False) + b"data: {\n\n",
    "error-at-the-end": wire(event(said({"content": TEXT})), {"error": {"message": EMAIL}}),
}


@pytest.mark.parametrize("sent", STREAMS.values(), ids=STREAMS.keys())
def test_same_output_at_every_single_cut(sent: bytes):
    active = rules()
    whole = b"".join(left([sent], stream(active)))
    assert not [secret for secret in SECRETS if secret.encode() in whole]
    want = told(whole)
    for cut in range(len(sent)):
        assert want == told(b"".join(left([sent[:cut], sent[cut:]], stream(active))))


@pytest.mark.parametrize("sent", STREAMS.values(), ids=STREAMS.keys())
def test_same_output_byte_by_byte(sent: bytes):
    pieces = left([sent[at : at + 1] for at in range(len(sent))], stream())
    assert told(b"".join(left([sent], stream()))) == told(b"".join(pieces))
    put = ""
    for piece in filter(None, pieces):
        put += texts(events(piece)).get("choices[0].delta.content", "")
        assert not [secret for secret in SECRETS if secret in put]


@pytest.mark.parametrize("sent", STREAMS.values(), ids=STREAMS.keys())
@given(data=st.data())
def test_same_output_at_any_cuts(sent: bytes, data: st.DataObject):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=12)))
    pieces = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    assert told(b"".join(left([sent], stream()))) == told(b"".join(left(pieces, stream())))


@pytest.mark.parametrize(("detector", "sample"), SAMPLES)
@pytest.mark.parametrize(
    "around", [("", ""), ("So: ", ". Done."), (NOISE_BEFORE, "\n0 @-A")], ids=["bare", "in-text", "in-noise"]
)
def test_a_finding_split_over_two_events_is_redacted(detector: Detector, sample: str, around: tuple[str, str]):
    active = rules()
    text = around[0] + sample + around[1]
    whole, spans = active.text(text).text, forbidden(detector, sample)
    assert spans
    # Beside noise a number may be another one, or none: then it is so however the stream is cut.
    spans = [span for span in spans if span not in whole]
    assert spans or around[0] == NOISE_BEFORE
    for cut in range(len(text) + 1):
        pieces = answer(saying([text[:cut], text[cut:]]), active=active)
        check(pieces, field="choices[0].delta.content", whole=whole, spans=spans)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(("detector", "sample"), SAMPLES)
def test_a_finding_in_events_of_one_character_is_redacted(detector: Detector, sample: str, field: str):
    active = rules()
    whole, spans = active.text(f"It is {sample}").text, forbidden(detector, sample)
    pieces = answer(saying(f"It is {sample}", field=field), active=active)
    check(pieces, field=f"choices[0].delta.{field}", whole=whole, spans=spans)


@pytest.mark.parametrize(("detector", "sample"), SAMPLES)
def test_a_finding_in_a_legacy_text_is_redacted(detector: Detector, sample: str):
    active = rules()
    whole, spans = active.text(sample).text, forbidden(detector, sample)
    for length in (1, 2, 7):
        pieces = answer(legacy(by_length(sample, length)), active=active, dialect=Dialect.COMPLETIONS)
        check(pieces, field="choices[0].text", whole=whole, spans=spans)


@pytest.mark.parametrize(("detector", "sample"), SAMPLES)
@pytest.mark.parametrize("escape", [lambda text: json.dumps(text)[1:-1], escaped], ids=["plain", "escaped"])
def test_a_finding_in_arguments_is_redacted(detector: Detector, sample: str, escape: Callable[[str], str]):
    active = rules()
    inner = escape(sample)
    for length in (1, 3, 50):
        pieces = answer(called(by_length(f'{{"note": "{inner}", "n": 1}}', length)), active=active)
        arguments = texts(events(b"".join(pieces)))["choices[0]" + ARGUMENTS]
        assert json.loads(arguments) == {"note": active.text(sample).text, "n": 1}
        assert not [span for span in forbidden(detector, sample) if span in arguments]


NOISE = st.text(st.sampled_from('abz AKI4190 @.-_/+[]\n\t"\\é漢😀'), max_size=12)
TEXTS = st.lists(NOISE | st.sampled_from([each.values[1] for each in SAMPLES]), max_size=6).map("".join)


@given(data=st.data(), first=TEXTS, second=TEXTS)
def test_interleaved_texts_are_each_the_redaction_of_the_whole(data: st.DataObject, first: str, second: str):
    active = rules()
    tracks = [(0, "content", first), (1, "content", second), (0, "reasoning_content", second)]
    waiting = [(index, field, by_length(text, data.draw(st.integers(1, 9)))) for index, field, text in tracks]
    sent = []
    while any(pieces for *_, pieces in waiting):
        index, field, pieces = data.draw(st.sampled_from([track for track in waiting if track[2]]))
        sent.append(event(said({field: pieces.pop(0)}, index=index)))
    pieces = answer(sent, active=active)
    for index, field, text in tracks:
        # No spans: within other text a sample may be none, as a card's digits within a longer run are.
        # Different values are numbered over all texts of an answer.
        told = [NUMBER.sub(b"]", piece) for piece in pieces]
        check(told, field=f"choices[{index}].delta.{field}", whole=NUMBERED.sub("]", active.text(text).text), spans=())


@pytest.mark.parametrize(("detector", "sample"), SAMPLES)
def test_a_block_cuts_before_anything_of_the_finding_left(detector: Detector, sample: str):
    active = rules(RedactionAction.BLOCK)
    (span, *_) = forbidden(detector, sample)
    for length in (1, 2, 5, 100):
        pieces = answer(saying(by_length(sample, length)), active=active)
        output = b"".join(pieces)
        assert error_of(output) == "answer-blocked"
        assert b"[DONE]" not in output
        assert sample.partition(span)[0].startswith(texts(events(output)[:-1]).get("choices[0].delta.content", ""))
