# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest

from policies.evaluation.argument_schema import MAX_SUBSCHEMAS, SchemaRefused, argument_check


def of(schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": schema}}


DOUBLED = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}, {"$ref": f"#/$defs/a{n + 1}"}]} for n in range(20)}


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        pytest.param(of({"type": "texts"}), "/properties/x/type", id="a type that there is not"),
        pytest.param(of({"format": "holiday"}), "/properties/x/format", id="a format that nobody checks"),
        pytest.param(of({"pattern": "(?=a)b"}), "/properties/x/pattern", id="a pattern that looks ahead"),
        pytest.param(of({"pattern": r"(a)\1"}), "/properties/x/pattern", id="a pattern that refers back"),
        pytest.param(of({"pattern": "(a{1000}){1000}"}), "/properties/x/pattern", id="a pattern that counts far"),
        pytest.param({"patternProperties": {"(?!a)": {}}}, "/patternProperties/(?!a)", id="a pattern of names"),
        pytest.param(of({"$ref": "https://example.com/a"}), "/properties/x/$ref", id="a reference to an address"),
        pytest.param(of({"$ref": "file:///etc/passwd"}), "/properties/x/$ref", id="a reference to a file"),
        pytest.param(of({"$ref": "#"}), "/properties/x/$ref", id="a reference to the whole"),
        pytest.param(of({"$ref": "#/$defs/none"}), "/properties/x/$ref", id="a reference to nothing"),
        pytest.param(of({"$dynamicRef": "#x"}), "/properties/x/$dynamicRef", id="a reference that depends"),
        pytest.param(of({"unevaluatedProperties": False}), "/properties/x/unevaluatedProperties", id="a second look"),
        pytest.param(of({"unevaluatedItems": False}), "/properties/x/unevaluatedItems", id="a second look at items"),
        pytest.param({"$id": "https://example.com/a"}, "/$id", id="an address of its own"),
        pytest.param({"$schema": "http://json-schema.org/draft-04/schema#"}, "/$schema", id="another dialect"),
        pytest.param({"$defs": []}, "/$defs", id="defs that are none"),
        pytest.param({"$defs": {"a": of({"$ref": "#/$defs/a"})}}, "/$defs/a", id="a circle"),
        pytest.param({"$ref": "#/$defs/a0", "$defs": {**DOUBLED, "a20": {}}}, "", id="a billion checks"),
    ],
)
def test_a_schema_that_nobody_can_hold_to_is_refused_with_its_place(schema, pointer):
    with pytest.raises(SchemaRefused) as refused:
        argument_check(schema, None)
    assert refused.value.pointer == pointer


@pytest.mark.parametrize("pattern", ["a)|(b", "(?=a)", r"(a)\1", "("])
def test_a_pattern_that_is_none_by_itself_is_refused(pattern):
    with pytest.raises(SchemaRefused):
        argument_check(None, {"path": pattern})


SRV = argument_check(None, {"path": "/srv/[a-z/]+"})
STRICT = argument_check(
    {
        "type": "object",
        "required": ["to"],
        "additionalProperties": False,
        "properties": {"to": {"$ref": "#/$defs/address"}, "n": {"type": "integer", "maximum": 3}},
        "$defs": {"address": {"type": "string", "format": "email", "pattern": "@example\\.com$"}},
    },
    None,
)


@pytest.mark.parametrize(
    ("check", "arguments", "want"),
    [
        pytest.param(SRV, {"path": "/srv/a/b"}, True, id="within"),
        pytest.param(SRV, {"path": "/etc/passwd"}, False, id="elsewhere"),
        pytest.param(SRV, {"path": "/srv/../etc"}, False, id="a dot"),
        pytest.param(SRV, {"path": "x/srv/a"}, False, id="something before"),
        pytest.param(SRV, {"path": "/srv/a\n"}, False, id="a line break behind"),
        pytest.param(SRV, {"path": ["/srv/a"]}, False, id="a list"),
        pytest.param(SRV, {}, False, id="left out"),
        pytest.param(SRV, {"Path": "/srv/a"}, False, id="other case"),
        pytest.param(STRICT, {"to": "a@example.com", "n": 3}, True, id="as the schema has it"),
        pytest.param(STRICT, {"to": "a@example.com", "n": 4}, False, id="too many"),
        pytest.param(STRICT, {"to": "a@example.org"}, False, id="another host"),
        pytest.param(STRICT, {"to": "a@example.com", "cc": "b"}, False, id="one more member"),
        pytest.param(STRICT, {"to": "a@example.com", "n": 1e400}, False, id="no number"),
    ],
)
def test_arguments_are_held_to_schema_and_patterns(check, arguments, want):
    assert check.takes(arguments, unclear=not want) is want


@pytest.mark.parametrize("unclear", [True, False])
def test_what_cannot_be_told_is_what_the_caller_says(unclear):
    assert SRV.takes({"path": "\ud800"}, unclear=unclear) is unclear


def test_a_rule_that_states_nothing_has_no_check():
    assert argument_check(None, None) is None


def test_a_schema_may_be_as_large_as_it_says():
    assert argument_check({"properties": {f"p{n}": {} for n in range(MAX_SUBSCHEMAS // 2)}}, None) is not None
