# SPDX-License-Identifier: Apache-2.0
"""OPA checks the types of guards: what `input` has not is an error, what it has is none."""

import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema_rs
import pytest

from policies.compiler.compile import compile_release
from policies.compiler.guard_schema import SCHEMA
from policies.contracts.decision import EngineAnswer
from policies.contracts.errors import Diagnostic, PolicyRejected
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.contracts.tools import AskedCall
from policies.document.loader import load_documents
from policies.engines.guard_input import FIELDS, call_input
from policies.library import pack

PUBLISHED = Path(__file__).resolve().parents[4] / "docs" / "reference" / "guard-input.schema.json"
SCOPE = {"tenant": "default", "environment": "production"}


def guarded(condition: str) -> bytes:
    module = f'package gatehouse.guard.types\n\ndeny contains "no" if {condition}\n'
    document = {"kind": "guard", "id": "types", "version": "1", "spec": {"reasons": {"no": "No."}, "module": module}}
    return json.dumps(document).encode()


@pytest.mark.opa
@pytest.mark.parametrize("field", FIELDS)
def test_a_guard_may_read_every_field(field, opa_binary):
    files = {**pack("baseline"), **pack("demo"), "types.json": guarded(f"input.{field} == 1")}
    # A comparison of unlike types is told as such; that the field is unknown is not.
    told: tuple[Diagnostic, ...] = ()
    try:
        compile_release(load_documents(files), opa_binary=str(opa_binary), **SCOPE)
    except PolicyRejected as exc:
        told = exc.diagnostics
    assert not any("undefined ref" in each.message for each in told)


@pytest.mark.opa
@pytest.mark.parametrize(
    "condition",
    ["input.request.max_token > 5", "input.user.name", "input.subject.roles[_] == 1", "startswith(input.request.n, 1)"],
)
def test_what_input_has_not_is_an_error(condition, opa_binary):
    files = {**pack("baseline"), **pack("demo"), "types.json": guarded(condition)}
    with pytest.raises(PolicyRejected) as rejected:
        compile_release(load_documents(files), opa_binary=str(opa_binary), **SCOPE)
    assert {each.code for each in rejected.value.diagnostics} == {"rego-type-error"}


def test_what_guards_are_asked_is_of_the_schema():
    request = EvaluationRequest(
        request_id="r",
        **SCOPE,
        subject=Subject(type="user", id="alice", groups=("a",)),
        action="chat.completions",
        resource=Resource(type="model", id="parrot"),
        facts=RequestFacts(tools=("a",), roles=("user",)),
        at=datetime(2026, 11, 20, tzinfo=UTC),
    )
    calls = [AskedCall(index=0, name="a", arguments={"b": [1]})]
    asked = call_input(request, groups=("a",), access=EngineAnswer(engine="casbin", answers=()), calls=calls)
    assert jsonschema_rs.Draft7Validator(SCHEMA).is_valid(json.loads(json.dumps(asked)))
    assert not jsonschema_rs.Draft7Validator(SCHEMA).is_valid({"users": []})


def test_the_published_schema_is_the_one_of_the_code(update_golden):
    if update_golden:
        PUBLISHED.write_text(json.dumps(SCHEMA, indent=2) + "\n")
    assert json.loads(PUBLISHED.read_text()) == SCHEMA
