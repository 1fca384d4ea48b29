# SPDX-License-Identifier: Apache-2.0
import json
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.codec import canonical_bytes

# Every plane, and what stands on both sides of the surrogates, where the orders of UTF-16 and of code points part.
CHARACTERS = st.characters(exclude_categories=["Cs"]) | st.sampled_from(
    'a\ud7ff\ue000\uffff\U00010000\U0010ffff\x7f"\\\n'
)
TEXTS = st.text(CHARACTERS, max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def by_the_rfc(value) -> str:
    """RFC 8785 to the letter, for what Gatehouse writes."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{by_the_rfc(key)}:{by_the_rfc(value[key])}" for key in keys) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(by_the_rfc, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


@given(VALUES)
def test_form_is_that_of_the_rfc(value):
    assert canonical_bytes(value) == by_the_rfc(value).encode()


def test_keys_beyond_the_basic_plane_come_before_its_end():
    assert canonical_bytes({"\ue000": 1, "\U00010000": 2}) == '{"\U00010000":2,"\ue000":1}'.encode()


def test_any_mapping_and_sequence_is_taken():
    assert canonical_bytes(MappingProxyType({"b": range(2), "a": MappingProxyType({})})) == b'{"a":{},"b":[0,1]}'


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(1.0, id="float"),
        pytest.param(float("nan"), id="nan"),
        pytest.param(2**53, id="beyond-a-double"),
        pytest.param(-(2**53), id="beyond-a-double-below"),
        pytest.param({1: "a"}, id="key-that-is-a-number"),
        pytest.param({None: "a", "b": 1}, id="key-that-is-null"),
        pytest.param("\ud800", id="lone-surrogate"),
        pytest.param({"\udfff": "a"}, id="lone-surrogate-in-a-key"),
        pytest.param(b"bytes", id="bytes"),
        pytest.param({"a"}, id="set"),
        pytest.param(object(), id="object"),
    ],
)
def test_what_has_no_form_is_refused_wherever_it_stands(value):
    for within in (value, [value], {"a": (1, {"b": value})}, MappingProxyType({"a": value})):
        with pytest.raises(ValueError, match=r".*"):
            canonical_bytes(within)
