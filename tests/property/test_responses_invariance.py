# SPDX-License-Identifier: Apache-2.0
"""However a stream of a response is cut, what leaves is the redaction of each whole text, in pieces and told whole."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.snapshot import RedactionAction
from policies.redaction.engine import ActiveRules
from tests.responses import TEXTS, answered, called, error_of, events, left, spoken, stream, texts, wholes, wire
from tests.streams import CARD, EMAIL, KEY, by_length, rules

PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----"
TEXT = f"Höre: {CARD}, {EMAIL} und {KEY}. 漢字 😀\n{PEM}\nEnde."
SECRETS = (CARD, EMAIL, KEY, "4111111111111111", "MIIEvQIBADAN")
ARGUMENTS = json.dumps({"to": EMAIL, "card": 4111111111111111, "note": CARD}).replace(CARD, "\\u0034" + CARD[1:])
EVERYTHING = answered(
    spoken("summary_text", by_length(TEXT, 9), ["More of it."]),
    spoken("reasoning_text", by_length(TEXT, 11), index=1),
    spoken("output_text", by_length(TEXT, 7), by_length(TEXT, 25), index=2),
    called(by_length(ARGUMENTS, 4), index=3),
    spoken("refusal", by_length(TEXT, 13), index=4),
    instructions=f"Ask {EMAIL}.",
)
STREAMS = {
    "short-at-every-cut": wire(EVERYTHING[0], *spoken("output_text", [f"Ask {EMAIL[:8]}", EMAIL[8:]])[:4]),
    "every-kind-of-item": wire(*EVERYTHING),
    "crlf": wire(*answered(spoken("output_text", by_length(TEXT, 7))), end="\r\n"),
    "carriage-returns-and-escapes": wire(
        *answered(spoken("output_text", by_length(TEXT, 16))), end="\r", ascii_only=True
    ),
    "byte-order-mark-and-comments": b"\xef\xbb\xbf: hello\n\n" + wire(*answered(called(by_length(ARGUMENTS, 30)))),
    "ends-early": wire(*EVERYTHING[:40]),
    "broken-json-at-the-end": wire(*EVERYTHING[:-1]) + b"data: {\n\n",
    "error-at-the-end": wire(*EVERYTHING[:-1], {"type": "error", "message": EMAIL}),
}


def check(output: bytes) -> None:
    assert not [secret for secret in SECRETS if secret in json.dumps(events(output), ensure_ascii=False)]


@pytest.mark.parametrize("sent", STREAMS.values(), ids=STREAMS.keys())
def test_same_bytes_at_every_single_cut(sent: bytes):
    active = rules()
    whole = left([sent], stream(active))
    check(whole)
    # Every cut of the long ones would take minutes: of those, two hundred.
    for cut in range(0, len(sent), 1 if len(sent) < 2_000 else len(sent) // 200):
        assert whole == left([sent[:cut], sent[cut:]], stream(active))


@pytest.mark.parametrize("sent", STREAMS.values(), ids=STREAMS.keys())
def test_same_bytes_byte_by_byte(sent: bytes):
    assert left([sent], stream()) == left([sent[at : at + 1] for at in range(len(sent))], stream())


@pytest.mark.parametrize("sent", STREAMS.values(), ids=STREAMS.keys())
@given(data=st.data())
def test_same_bytes_at_any_cuts(sent: bytes, data: st.DataObject):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=12)))
    pieces = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    assert left([sent], stream()) == left(pieces, stream())


def said(told: list[dict[str, Any]], active: ActiveRules) -> tuple[list[dict[str, str]], bytes]:
    """Return what a client has put together after each event, and all that left."""
    enforcer = stream(active)
    pieces = [*(enforcer.feed(wire(each)) for each in told), enforcer.finish()]
    output = b"".join(pieces)
    read: list[dict[str, Any]] = []
    so_far = []
    for piece in pieces:
        read += [json.loads(block.partition(b"\ndata: ")[2]) for block in piece.split(b"\n\n")[:-1]]
        so_far.append(texts(read))
    return so_far, output


@pytest.mark.parametrize("shape", TEXTS)
@pytest.mark.parametrize("secret", [CARD, EMAIL, KEY, PEM])
def test_a_finding_split_over_two_events_is_redacted(shape: str, secret: str):
    active = rules()
    text = f"So: {secret}. Done."
    want = active.text(text).text
    path = f"0.{TEXTS[shape][0].removeprefix('response.')}.0"
    for cut in range(len(text) + 1):
        so_far, output = said(answered(spoken(shape, [text[:cut], text[cut:]])), active)
        assert all(want.startswith(each.get(path, "")) for each in so_far)
        assert so_far[-1] == {path: want}
        assert wholes(events(output)) == {path: {want}}


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 50])
def test_arguments_are_redacted_as_the_whole_is(length: int):
    _, output = said(answered(called(by_length(ARGUMENTS, length))), rules())
    _, at_once = said(answered(called([ARGUMENTS])), rules())
    assert output == at_once
    (arguments,) = wholes(events(output))["0.function_call_arguments.0"]
    assert json.loads(arguments).keys() == {"to", "card", "note"}
    check(output)


NOISE = st.text(st.sampled_from('abz AKI4190 @.-_/+[]\n\t"\\é漢😀'), max_size=12)
ANY_TEXT = st.lists(NOISE | st.sampled_from([CARD, EMAIL, KEY, PEM]), max_size=5).map("".join)


@given(data=st.data(), tracks=st.lists(st.tuples(st.sampled_from(list(TEXTS)), ANY_TEXT), min_size=1, max_size=4))
def test_interleaved_items_are_each_the_redaction_of_the_whole(data: st.DataObject, tracks: list[tuple[str, str]]):
    active = rules()
    items = [
        spoken(shape, by_length(text, data.draw(st.integers(1, 9))), index=index)
        for index, (shape, text) in enumerate(tracks)
    ]
    first, second, *_, last = answered(*items)
    waiting, mixed = [list(item) for item in items], []
    while any(waiting):
        mixed.append(data.draw(st.sampled_from([item for item in waiting if item])).pop(0))
    so_far, output = said([first, second, *mixed, last], active)
    assert error_of(output) is None
    for index, (shape, text) in enumerate(tracks):
        path, want = f"{index}.{TEXTS[shape][0].removeprefix('response.')}.0", active.text(text).text
        assert all(want.startswith(each.get(path, "")) for each in so_far)
        assert so_far[-1].get(path, "") == want
        assert wholes(events(output))[path] == {want}


@pytest.mark.parametrize("shape", TEXTS)
@pytest.mark.parametrize("secret", [CARD, EMAIL, KEY])
def test_a_block_cuts_before_anything_of_the_finding_left(shape: str, secret: str):
    active = rules(RedactionAction.BLOCK)
    for length in (1, 2, 5, 100):
        so_far, output = said(answered(spoken(shape, by_length(f"Well. {secret} Bye.", length))), active)
        assert error_of(output) == "answer-blocked"
        assert all("Well. ".startswith(text) for each in so_far for text in each.values())
