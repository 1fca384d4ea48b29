# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_addons.core.strict_json import MAX_DEPTH, MAX_KEYS, MAX_VALUES, NotStrictJson, parse_object


def nested(depth: int) -> bytes:
    """An object at level 1 with arrays below, `depth` levels in all."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(b'{"a":1,"a":2}', "duplicate-key", id="duplicate-key"),
        pytest.param(b'{"a":[{"b":{"c":1,"c":1}}]}', "duplicate-key", id="duplicate-key-deep-inside"),
        pytest.param(b'{"a":1,"\\u0061":2}', "duplicate-key", id="duplicate-key-by-escape"),
        pytest.param(b"\xef\xbb\xbf{}", "byte-order-mark", id="byte-order-mark"),
        pytest.param(b'{"a":"\xff"}', "not-utf-8", id="invalid-utf-8"),
        pytest.param(b'{"a":"\xc0\xaf"}', "not-utf-8", id="overlong-utf-8"),
        pytest.param(b'{"a":"\\ud800"}', "lone-surrogate", id="lone-high-surrogate"),
        pytest.param(b'{"a":["\\udc00"]}', "lone-surrogate", id="lone-low-surrogate-in-an-array"),
        pytest.param(b'{"\\ud800":1}', "lone-surrogate", id="lone-surrogate-in-a-key"),
        pytest.param(b'{"a":NaN}', "number-out-of-range", id="nan"),
        pytest.param(b'{"a":1e400}', "number-out-of-range", id="infinite-double"),
        pytest.param(b'{"a":9223372036854775808}', "number-out-of-range", id="two-to-the-63"),
        pytest.param(b'{"a":-9223372036854775809}', "number-out-of-range", id="below-minus-two-to-the-63"),
        pytest.param(b'{"a":0.' + b"1" * 100 + b"}", "number-out-of-range", id="double-too-long"),
        pytest.param(b'{"a":' + b"1" * 100_000 + b"}", "number-out-of-range", id="integer-too-long"),
        pytest.param(b'{"a":01}', "not-json", id="leading-zero"),
        pytest.param(b'{"a":1,}', "not-json", id="trailing-comma"),
        pytest.param(b"{'a':1}", "not-json", id="single-quotes"),
        pytest.param(b"{}x", "not-json", id="trailing-text"),
        pytest.param(b"{}\xc2\xa0", "not-json", id="trailing-no-break-space"),
        pytest.param(b'{"a":"\x01"}', "not-json", id="control-character"),
        pytest.param(b"", "not-json", id="empty"),
        pytest.param(b"[]", "not-an-object", id="array"),
        pytest.param(b"null", "not-an-object", id="null"),
        pytest.param(nested(MAX_DEPTH + 1), "too-deep", id="one-level-too-deep"),
        pytest.param(nested(50_000), "too-deep", id="fifty-thousand-levels"),
        pytest.param(json.dumps({str(n): 0 for n in range(MAX_KEYS + 1)}).encode(), "too-many-keys", id="keys"),
        pytest.param(json.dumps({"a": [0] * MAX_VALUES}).encode(), "too-many-values", id="values"),
        pytest.param(json.dumps({str(n): 0 for n in range(10**6)}).encode(), "too-many-values", id="a-million-keys"),
        pytest.param(b'{"a":' + b'"' * 300_000, "too-many-values", id="quotes-alone"),
    ],
)
def test_what_parsers_read_differently_is_refused(body, problem):
    with pytest.raises(NotStrictJson) as refused:
        parse_object(body)
    assert refused.value.problem == problem


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(nested(MAX_DEPTH), id="deepest"),
        pytest.param(b'{"a":9223372036854775807,"b":-9223372036854775808}', id="largest-integers"),
        pytest.param(b'{"a":1.7976931348623157e308}', id="largest-double"),
        pytest.param(b'{"a":"\\ud83d\\ude00"}', id="surrogate-pair"),
        pytest.param(b' \r\n\t{"a":1} ', id="blanks-around"),
        pytest.param(json.dumps({"a": '"\\"' * 200_000}).encode(), id="text-of-quotes"),
        pytest.param(json.dumps({"a": ["x"] * (MAX_VALUES - 2)}).encode(), id="most-strings"),
        pytest.param(b'{"a":{"b":1},"c":{"b":1}}', id="same-key-in-two-objects"),
        pytest.param(json.dumps({str(n): 0 for n in range(MAX_KEYS)}).encode(), id="most-keys"),
    ],
)
def test_strict_object_is_read(body):
    assert parse_object(body) == json.loads(body)


def test_place_of_an_error_is_a_byte_offset_without_content():
    with pytest.raises(NotStrictJson) as refused:
        parse_object('{"é":"secret" "b"}'.encode())
    assert str(refused.value) == "not-json at byte 15"


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), values, max_size=5))
def test_any_object_is_read_as_it_was_written(value):
    assert parse_object(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(body):
    try:
        assert isinstance(parse_object(body), dict)
    except NotStrictJson:
        return
