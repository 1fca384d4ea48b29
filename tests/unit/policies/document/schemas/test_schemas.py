# SPDX-License-Identifier: Apache-2.0
"""The schemas against the strict reader: neither knows a member, a word or a type that the other does not."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from policies.document.kinds import KINDS
from policies.document.loader import load_documents
from policies.document.reader import Members
from policies.document.schemas import SPECS, schema_of, schema_of_any
from tests.unit.policies.document.schemas.agreement import VALIDATORS, taken
from tests.unit.policies.document.schemas.full_documents import full

ROOT = Path(__file__).resolve().parents[5]
PUBLISHED = ROOT / "docs" / "reference" / "schemas"
ANY = jsonschema_rs.Draft202012Validator(schema_of_any())


def written_documents() -> list[tuple[str, bytes]]:
    """Return the documents of this repository: those of the packs, and those that pages show."""
    packs = [(str(path.relative_to(ROOT)), path.read_bytes()) for path in (ROOT / "policies/library").rglob("*.yaml")]
    pages = [
        (f"{page.name}-{number}.yaml", shown.encode())
        for page in sorted((ROOT / "docs").rglob("*.md"))
        for number, shown in enumerate(
            re.findall(r"^```yaml\n(kind: .*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
        )
    ]
    return packs + pages


def test_there_is_a_schema_for_each_kind():
    assert list(SPECS) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_with_every_member_is_taken_by_both(kind):
    assert taken(full(kind))
    assert VALIDATORS[kind].is_valid(full(kind))
    assert ANY.is_valid(full(kind))
    assert [other for other in KINDS if VALIDATORS[other].is_valid(full(kind))] == [kind]


@pytest.mark.parametrize("name_and_source", written_documents(), ids=lambda each: each[0])
def test_what_the_reader_takes_the_schema_takes(name_and_source):
    name, source = name_and_source
    (document,) = load_documents({name: source})
    errors = list(VALIDATORS[document.kind].iter_errors(yaml.safe_load(source)))
    assert [(error.instance_path, error.message) for error in errors] == []


def property_names(schema: dict[str, Any], pointer: str) -> set[str] | None:
    """Return the members that `schema` has at `pointer` of a document; None where any may stand."""
    for part in pointer.split("/")[1:]:
        schema = schema["items"] if part.isdigit() and "items" in schema else schema["properties"][part]
    return set(schema["properties"]) if schema.get("additionalProperties") is False else None


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_has_exactly_the_members_that_the_reader_knows(kind, monkeypatch):
    read: dict[str, set[str]] = {}
    initial = Members.__init__

    def noting(self, node, notes, *, known, required=()):
        known, required = tuple(known), tuple(required)
        read[node.at.pointer] = set(known)
        initial(self, node, notes, known=known, required=required)

    monkeypatch.setattr(Members, "__init__", noting)
    assert taken(full(kind))
    read[""] -= {"mode"} if "mode" not in full(kind) else set()
    assert read == {pointer: property_names(schema_of(kind), pointer) for pointer in read}
    # Every object of the schema is one that the reader read: the full document has them all.
    assert objects_of(schema_of(kind)) == {re.sub(r"/[0-9]+", "/*", pointer) for pointer in read}


def objects_of(schema: dict[str, Any], pointer: str = "") -> set[str]:
    found = {pointer} if schema.get("additionalProperties") is False else set()
    for name, inner in schema.get("properties", {}).items():
        found |= objects_of(inner, f"{pointer}/{name}")
    return found | (objects_of(schema["items"], f"{pointer}/*") if "items" in schema else set())


@pytest.mark.parametrize("kind", KINDS)
def test_every_member_says_what_it_is(kind):
    def silent(schema: dict[str, Any], pointer: str) -> Iterator[str]:
        for name, inner in schema.get("properties", {}).items():
            if not inner.get("description"):
                yield f"{pointer}/{name}"
            yield from silent(inner, f"{pointer}/{name}")
        if "items" in schema:
            yield from silent(schema["items"], f"{pointer}/*")

    assert list(silent(schema_of(kind), "")) == []


@pytest.mark.parametrize("name", [*KINDS, "any"])
def test_the_published_schema_is_the_one_of_the_code(name, update_golden):
    schema = schema_of_any() if name == "any" else schema_of(name)
    path = PUBLISHED / f"{name}.json"
    if update_golden:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
    assert json.loads(path.read_text()) == schema


def test_nothing_else_is_published():
    assert {path.stem for path in PUBLISHED.iterdir()} <= {*KINDS, "any"}
