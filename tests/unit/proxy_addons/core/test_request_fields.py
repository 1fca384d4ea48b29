# SPDX-License-Identifier: Apache-2.0
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_addons.core.refused import Refused
from proxy_addons.core.request_fields import (
    absent,
    array,
    boolean,
    either,
    integer,
    nullable,
    number,
    one_of,
    pattern,
    record,
    text,
    variant,
)
from proxy_addons.core.unknown_fields import Reading
from tests.unit.proxy_addons.harness import route

READING = Reading(route())
PAIR = record({"a": integer(0, 9)}, {"b": array(record({"c": text}), least=1, most=2)})
SHAPE = variant("type", {"round": record({"type": text}, {"r": text})}, known=frozenset({"square"}))


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (boolean, False),
        (integer(0, 1), 1),
        (number(0, 1), 0.5),
        (number(0, 1), 1),
        (one_of("a"), "a"),
        (pattern("[a]+"), "aa"),
        (nullable(text), None),
        (absent, None),
        (absent, False),
        (absent, []),
        (either(text, array(text, least=0, most=1)), "x"),
        (either(text, array(text, least=0, most=1)), ["x"]),
        (PAIR, {"a": 1}),
        (PAIR, {"b": [{"c": ""}], "a": 9}),
        (SHAPE, {"type": "round"}),
    ],
)
def test_value_of_its_type_passes(check, value):
    check(value, READING)


@pytest.mark.parametrize(
    ("check", "value", "code", "param"),
    [
        (boolean, 0, "field-invalid", None),
        (integer(0, 1), True, "field-invalid", None),
        (integer(0, 1), 1.0, "field-invalid", None),
        (integer(0, 1), 2, "field-invalid", None),
        (number(0, 1), False, "field-invalid", None),
        (one_of("a"), ["a"], "field-invalid", None),
        (pattern("[a]+"), "aa\n", "field-invalid", None),
        (absent, {}, "field-not-permitted", None),
        (absent, 0, "field-not-permitted", None),
        (PAIR, {}, "field-invalid", "a"),
        (PAIR, {"a": "x"}, "field-invalid", "a"),
        (PAIR, {"a": 1, "x": 1}, "field-not-permitted", None),
        (PAIR, {"a": 1, "b": []}, "field-invalid", "b"),
        (PAIR, {"a": 1, "b": [{"c": 1}]}, "field-invalid", "b.c"),
        (PAIR, {"a": 1, "b": [{"c": "", "x": 1}]}, "field-not-permitted", "b"),
        (SHAPE, {"type": "square"}, "modality-not-permitted", "square"),
        (SHAPE, {"type": "secret"}, "field-invalid", "type"),
        (SHAPE, {"type": ["round"]}, "field-invalid", None),
        (SHAPE, [], "field-invalid", None),
    ],
)
def test_any_other_value_is_refused_at_its_place(check, value, code, param):
    with pytest.raises(Refused) as refused:
        check(value, READING)
    assert (refused.value.code, refused.value.param) == (code, param)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_value_raises_anything_but_refused(value):
    for check in (PAIR, SHAPE):
        with suppress(Refused):
            check(value, READING)
