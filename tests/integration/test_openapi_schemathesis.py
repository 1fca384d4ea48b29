# SPDX-License-Identifier: Apache-2.0
"""schemathesis over the whole OpenAPI document, as every role and as nobody: no 5xx, nothing that is not documented.

A run takes seconds; `GATEHOUSE_SCHEMATHESIS_EXAMPLES=200` makes it a long one. The application is asked in process, and
each question is one of its own: what one leaves behind, the next finds.
"""

import os
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from controlplane.authz.matrix import load_matrix
from controlplane.edge import Watch, create_edge
from controlplane.services.model import Role
from tests.control_planes import TOKENS, make_plane, sqlite_url
from tests.evaluations import put_to_work

MOST: Final = int(os.environ.get("GATEHOUSE_SCHEMATHESIS_EXAMPLES", "2"))
CHECKS: Final = [not_a_server_error, content_type_conformance, response_schema_conformance]
# Whoever takes the last admin away, or its token, ends the run: its own refusals are tested where it is.
LEFT_OUT: Final = {("DELETE", "/v1/role-bindings/{binding_id}")}
# Nothing to send can be right or wrong beside the path, and a path can be anything: routing answers before a role does.
ROUTED: Final = {"404", "405"}
MATRIX: Final = load_matrix()


@schemathesis.serializer("application/x-ndjson")
def as_it_is(_context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    under_test = make_plane(sqlite_url(tmp_path_factory.mktemp("plane")))
    put_to_work(under_test)
    edge = create_edge(under_test.plane, under_test.app, Watch(under_test.plane))
    yield schemathesis.openapi.from_asgi("/openapi.json", edge)
    under_test.plane.decision_point.close()
    under_test.store.close()


@pytest.mark.timeout(600)
def test_nothing_that_is_not_documented_comes_of_any_question(schema):
    problems: dict[str, str] = {}
    asked = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if (operation.method.upper(), operation.path) in LEFT_OUT:
            continue
        for mode in GenerationMode:
            try:
                asked += _ask(operation, mode)
            except Unsatisfiable:  # nothing of it could be wrong
                continue
            except Exception as exc:  # all of them at once
                problems[f"{operation.method.upper()} {operation.path} {mode.value}"] = f"{type(exc).__name__}: {exc}"
    assert not problems, "\n\n".join(f"{where}\n{what}" for where, what in problems.items())
    assert asked > 300


def _ask(operation: Any, mode: GenerationMode) -> int:
    """Ask with questions of `mode`, as those who may and those who may not; return how many were asked."""
    definition = operation.definition.raw
    may = [role for role in Role if definition.get("x-permission") in MATRIX[role]]
    roles: list[Role | None] = [*may, *may, *Role, None]
    asked = 0

    @settings(
        max_examples=MOST,
        database=None,
        deadline=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), role=st.sampled_from(roles))
    def ask(case: Case, role: Role | None) -> None:
        nonlocal asked
        asked += 1
        _check(case, role, set(definition["responses"]))

    ask()
    return asked


def _check(case: Case, role: Role | None, documented: set[str]) -> None:
    if case.path.endswith(":tail"):
        case.query = {**(case.query if isinstance(case.query, dict) else {}), "max_s": "0"}
    case.headers.pop("Prefer", None)  # nobody publishes anything that it could wait for
    headers = {"Authorization": f"Bearer {TOKENS[role.value]}"} if role else {}
    answer = case.call(headers=headers)
    case.validate_response(answer, checks=CHECKS)
    assert str(answer.status_code) in documented | ROUTED, f"{answer.status_code} is not documented: {answer.text}"
