# SPDX-License-Identifier: Apache-2.0
"""Documents with one thing changed, of which the reader must refuse what the schema refuses."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.errors import PolicyRejected
from policies.document.loader import load_documents
from policies.document.schemas import SPECS, schema_of
from tests.unit.policies.document.schemas.full_documents import full

VALIDATORS = {kind: jsonschema_rs.Draft202012Validator(schema_of(kind)) for kind in SPECS}
WRONG: tuple[Any, ...] = (
    None,
    True,
    7,
    -1,
    10**12,
    1.5,
    "",
    "no such word",
    "Ä",
    "a\nb",
    "x" * 300,
    [],
    [{}],
    {},
    {"a": 1},
)


def taken(document: Any) -> bool:
    try:
        load_documents({"a.json": json.dumps(document).encode()})
    except PolicyRejected:
        return False
    return True


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(node, dict | list):
        for key in node if isinstance(node, dict) else range(len(node)):
            yield from places(node[key], (*path, key))


def with_value(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(document)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    if not path:
        return value
    holder[path[-1]] = value
    return changed


def value_at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def without(document: Any, path: tuple[Any, ...]) -> Any:
    changed = copy.deepcopy(document)
    del value_at(changed, path[:-1])[path[-1]]
    return changed


def changed_documents(document: Any) -> Iterator[Any]:
    """Give `document` with one thing changed: a value of another type, a member more, less, an item twice."""
    for path in places(document):
        yield from (with_value(document, path, wrong) for wrong in WRONG)
        value = value_at(document, path)
        if isinstance(value, dict):
            yield with_value(document, path, {**value, "no_such_member": 1})
        if isinstance(value, list) and value:
            yield with_value(document, path, [*value, value[-1]])
        if path:
            yield without(document, path)


def specs_agree(*kinds: str) -> type:
    """Return a class of tests, to be named `Test…`, that the schemas of `kinds` refuse nothing that the reader takes."""

    @pytest.mark.parametrize("kind", kinds)
    class Agreement:
        def test_what_the_schema_refuses_the_reader_refuses_too(self, kind: str) -> None:
            refused = refused_by_both(without(full(kind), ("tests",)))
            assert refused > 100

        @given(change=st.data())
        def test_a_text_that_the_schema_refuses_the_reader_refuses_too(self, kind: str, change: st.DataObject) -> None:
            document = without(full(kind), ("tests",))
            texts = [path for path in places(document) if isinstance(value_at(document, path), str)]
            path = change.draw(st.sampled_from(texts))
            written = change.draw(
                st.text(st.characters(codec="utf-8"), max_size=20) | st.from_regex(r"[a-z*:/.-]{0,12}")
            )
            document = with_value(document, path, written)
            assert VALIDATORS[kind].is_valid(document) or not taken(document)

    return Agreement


def refused_by_both(document: Any) -> int:
    """Return of how many changes of `document` the schema refuses it. Raises AssertionError where the reader does not."""
    refused = 0
    validator = VALIDATORS[document["kind"]]
    for changed in changed_documents(document):
        if not validator.is_valid(changed):
            refused += 1
            assert not taken(changed), changed
    return refused
