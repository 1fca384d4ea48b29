# SPDX-License-Identifier: Apache-2.0
"""Casbin models and rows as access policies: exactly, or not at all."""

import json
from datetime import UTC, datetime

import casbin
import pytest

from policies.compiler.compile import assembled
from policies.contracts.decision import Outcome
from policies.contracts.errors import PolicyRejected
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.document.loader import load_documents
from policies.engines.casbin import CasbinAccess
from policies.importing.casbin import Naming, import_casbin

MODEL = """[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act, eft
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = (p.sub == "*" || g(r.sub, p.sub)) && keyMatch(r.obj, p.obj) && r.act == p.act
"""
ROWS = """# who may what
p, staff, parrot, read, allow
p, staff, owl, read, allow
p, bob, *, read, deny
p, *, canary, read, allow
g, alice, juniors
g, juniors, staff
g, bob, staff
"""


def imported(rows=ROWS, model=MODEL, **naming):
    return import_casbin(("m.conf", model), ("p.csv", rows), policy="imported", naming=Naming(**naming))


def codes(rows=ROWS, model=MODEL):
    with pytest.raises(PolicyRejected) as rejected:
        imported(rows, model)
    return [(each.code, each.at.file, each.at.line, each.at.column) for each in rejected.value.diagnostics]


def allows(document, subject, model, action) -> bool:
    snapshot = assembled(load_documents({"a.json": json.dumps(document).encode()}))
    request = EvaluationRequest(
        request_id="r",
        tenant="",
        environment="",
        subject=Subject(type="user", id=subject),
        action=action,
        resource=Resource(type="model", id=model),
        facts=RequestFacts(),
        at=datetime(2026, 11, 20, tzinfo=UTC),
    )
    (answer,) = CasbinAccess(snapshot).evaluate(request).answers
    return answer.outcome is Outcome.ALLOW


@pytest.mark.parametrize(
    ("subject", "model", "action", "want"),
    [
        pytest.param("alice", "parrot", "read", True, id="by-a-role-of-a-role"),
        pytest.param("alice", "eagle", "read", False, id="another-object"),
        pytest.param("alice", "parrot", "write", False, id="another-action"),
        pytest.param("bob", "owl", "read", False, id="denied"),
        pytest.param("bob", "canary", "read", False, id="denied-what-everybody-has"),
        pytest.param("eve", "canary", "read", True, id="everybody"),
        pytest.param("eve", "parrot", "read", False, id="nobody"),
        pytest.param("staff", "parrot", "read", True, id="the-role-itself"),
    ],
)
def test_what_is_imported_decides_as_casbin_does(subject, model, action, want):
    assert allows(imported(), subject, model, action) is want


def test_names_are_translated_where_that_is_said():
    document = imported(subject_type="service", actions={"read": "chat.completions"})
    assert document["spec"]["grants"][0] == {
        "id": "line-2",
        "effect": "allow",
        "subjects": ["group:staff"],
        "models": ["parrot", "owl"],
        "operations": ["chat.completions"],
    }
    assert document["spec"]["groups"]["juniors"] == ["service:alice", "service:juniors"]


@pytest.mark.parametrize(
    ("row", "want"),
    [
        pytest.param("p, a, b, read", ("field-count", 1), id="a-row-too-short"),
        pytest.param("p, a, b, read, allow, x", ("field-count", 1), id="a-row-too-long"),
        pytest.param("p, a, b, read, Allow", ("unknown-effect", 16), id="an-effect-in-capitals"),
        pytest.param("p, a, , read, allow", ("field-empty", 7), id="an-empty-field"),
        pytest.param('p, a, "b,c", read, allow', ("row-not-plain", 1), id="quotes"),
        pytest.param("p, a, b, read, allow # for a time", ("row-not-plain", 1), id="a-comment"),
        pytest.param("p2, a, b, read, allow", ("unknown-row", 1), id="another-policy-type"),
        pytest.param("g, a, b, domain", ("field-count", 1), id="a-domain"),
        pytest.param("p, a, /docs/*, read, allow", ("object-not-importable", 1), id="a-pattern"),
        pytest.param("p, a b, c, read, allow", ("subject-not-importable", 1), id="a-subject-with-a-blank"),
        pytest.param("p, a, b, *, allow", ("action-not-importable", 1), id="every-action-where-the-matcher-has-none"),
        pytest.param("p, a, b, READ, allow", ("action-not-importable", 1), id="an-action-of-another-form"),
    ],
)
def test_a_row_that_is_not_what_it_seems_is_refused_at_its_place(row, want):
    assert codes(f"{ROWS}{row}\n") == [(want[0], "p.csv", 9, want[1])]


def test_everything_wrong_is_told_at_once():
    assert [code for code, *_ in codes("p, a, b, read, maybe\np, a, b\nx, y\n")] == [
        "unknown-effect",
        "field-count",
        "unknown-row",
    ]


def test_the_empty_policy_is_none():
    assert [code for code, *_ in codes("# nothing\n")] == ["empty-policy"]


def chain(links: int) -> str:
    return f"p, r{links}, b, read, allow\n" + "".join(f"g, r{n}, r{n + 1}\n" for n in range(links))


@pytest.mark.parametrize("links", [9, 10])
def test_roles_are_followed_as_far_as_casbin_does(links, tmp_path):
    (tmp_path / "m.conf").write_text(MODEL)
    (tmp_path / "p.csv").write_text(chain(links))
    reached = casbin.Enforcer(str(tmp_path / "m.conf"), str(tmp_path / "p.csv")).enforce("r0", "b", "read")
    if reached:
        assert allows(imported(chain(links)), "r0", "b", "read")
    else:
        assert codes(chain(links))[0][0] == "roles-too-deep"
    assert reached is (links == 9)


def test_roles_in_a_circle_are_refused():
    assert codes("p, a, b, read, allow\ng, a, b\ng, b, a\n")[0][0] == "roles-too-deep"
