# SPDX-License-Identifier: Apache-2.0
"""What is forwarded has one reading: every parser sees in it what was examined, and it reads as itself."""

import json
from dataclasses import replace
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.snapshot import Dialect, UnknownFields
from proxy_addons.core.openai_request import ReadRequest
from proxy_addons.core.refused import Refused
from proxy_addons.core.request_reader import read_body
from proxy_addons.core.strict_json import NotStrictJson, canonical, parse_object, read_object
from tests.unit.proxy_addons.harness import chat, route

# What a parser may be led astray by: quotes, escapes, controls, separators of lines, halves of pairs as escapes.
TEXT = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from('"\\/\b\f\n\r\t\x7f\u2028\ufeff{}[]:,'))
)
NUMBER = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([-0.0, 1e22, 5e-324]),
)
VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBER, TEXT),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2),
        "seed": st.integers(-(2**63), 2**63 - 1),
        "stop": st.lists(TEXT, min_size=1, max_size=4),
        "logit_bias": st.dictionaries(st.integers(0, 10**6).map(str), st.integers(-100, 100), max_size=3),
        "tools": VALUE.map(
            lambda value: [
                {"type": "function", "function": {"name": "f", "parameters": {"x": value}, "description": "d"}}
            ]
        ),
    },
)
UNKNOWN = st.dictionaries(TEXT, VALUE, max_size=3)
BODY = st.builds(
    lambda texts, parameters, unknown: (
        unknown | chat(messages=[{"role": "user", "content": text} for text in texts]) | parameters
    ),
    st.lists(TEXT, min_size=1, max_size=3),
    PARAMETERS,
    UNKNOWN,
)
MODES = st.sampled_from(UnknownFields)


def first_of_duplicates(body: bytes) -> Any:
    def keep_first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return dict(reversed(pairs))

    return json.loads(body, object_pairs_hook=keep_first)


def forwarded(body: bytes, mode: UnknownFields) -> ReadRequest | None:
    try:
        return read_body(body, route(Dialect.CHAT, unknown_fields=mode))
    except Refused:
        return None


def spelled(value: Any, choose: st.DataObject) -> bytes:
    """Write `value` as clients do: with or without blanks and escapes, as a whole or with keys in another order."""
    blanks = choose.draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r ")]))
    return json.dumps(value, ensure_ascii=choose.draw(st.booleans()), separators=blanks).encode()


def has_one_reading(read: ReadRequest, mode: UnknownFields) -> None:
    readings = [parse(read.body) for parse in (json.loads, orjson.loads, first_of_duplicates, parse_object)]
    # Compared as written: 0.0 and -0.0, or 1 and 1.0, are equal and not the same.
    assert len({json.dumps(reading, sort_keys=True) for reading in readings}) == 1
    again = forwarded(read.body, mode)
    assert again is not None
    assert (again.body, again.model) == (read.body, read.model)
    assert replace(again.facts, body_bytes=0) == replace(read.facts, body_bytes=0)


@given(BODY, MODES, st.data())
def test_what_is_forwarded_reads_the_same_to_every_parser(value, mode, choose):
    body = spelled(value, choose)
    read = forwarded(body, mode)
    if read is None:
        return
    has_one_reading(read, mode)
    if not read.stripped:
        assert json.loads(read.body) == json.loads(body)


@given(BODY, MODES, st.data())
def test_damaged_body_is_refused_or_has_one_reading(value, mode, choose):
    body = spelled(value, choose)
    place = choose.draw(st.integers(0, len(body)))
    until = choose.draw(st.integers(place, min(place + 8, len(body))))
    inserted = choose.draw(
        st.one_of(
            st.binary(max_size=3),
            st.sampled_from(
                [b'"model":"x",', b',"\\u006dodel":1', b"{}", b"\\ud800", b"1e999", b"\xef\xbb\xbf", b"/**/"]
            ),
        )
    )
    read = forwarded(body[:place] + inserted + body[until:], mode)
    if read is not None:
        has_one_reading(read, mode)


@given(st.dictionaries(TEXT, VALUE, max_size=4), st.data())
def test_body_in_its_canonical_form_is_known_and_no_other(value, choose):
    body = spelled(value, choose)
    try:
        read, is_canonical = read_object(body)
    except NotStrictJson:
        return
    assert not is_canonical or canonical(read) == body
    assert read_object(canonical(read))[0] == read
