# SPDX-License-Identifier: Apache-2.0
"""Which models an access policy can say."""

import pytest

from policies.contracts.errors import PolicyRejected
from policies.importing.casbin_model import CasbinModel, read_model
from tests.unit.policies.importing.test_casbin import MODEL


def codes(text: str) -> list[tuple[str, int]]:
    with pytest.raises(PolicyRejected) as rejected:
        read_model("m.conf", text)
    return [(each.code, each.at.line) for each in rejected.value.diagnostics]


def test_a_model_is_read():
    assert read_model("m.conf", MODEL) == CasbinModel(
        has_effect=True, denials_count=True, roles=True, everybody=True, every_object=True, every_action=False
    )


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        pytest.param("keyMatch(", "keyMatch2(", [("matcher-not-importable", 10)], id="a-function-that-is-not-known"),
        pytest.param(
            "keyMatch(r.obj, p.obj) && r.act == p.act",
            "keyMatch(r.obj, p.obj) && r.act == p.act || r.sub == 'root'",
            [("matcher-not-importable", 10)],
            id="a-superuser",
        ),
        pytest.param(" && r.act == p.act", "", [("matcher-not-importable", 10)], id="a-matcher-without-action"),
        pytest.param("&& r.act", "&& eval(p.rule) && r.act", [("matcher-not-importable", 10)], id="an-expression"),
        pytest.param(
            "&& r.act == p.act",
            "&& regexMatch(r.act, p.act)",
            [("matcher-not-importable", 10)],
            id="an-expression-of-the-users",
        ),
        pytest.param("some(where (p.eft == allow)) && ", "", [("effect-not-importable", 8)], id="denials-alone"),
        pytest.param(
            "some(where (p.eft == allow)) && !some(where (p.eft == deny))",
            "priority(p.eft) || deny",
            [("effect-not-importable", 8)],
            id="priorities",
        ),
        pytest.param("g = _, _", "g = _, _, _", [("definition-not-importable", 6)], id="domains"),
        pytest.param("g = _, _", "g = _, _\ng2 = _, _", [("several-definitions", 7)], id="roles-of-objects"),
        pytest.param("r = sub, obj, act", "r = sub, dom, obj, act", [("definition-not-importable", 2)], id="a-request"),
        pytest.param(
            "sub, obj, act, eft", "sub, obj, act, eft # x", [("comment-in-value", 4), ("section-missing", 1)], id="c"
        ),
        pytest.param("g(r.sub, p.sub)", "r.sub == p.sub", [("roles-unused", 6)], id="roles-that-nothing-asks-for"),
        pytest.param("[role_definition]\ng = _, _\n", "", [("section-missing", 1)], id="roles-without-definition"),
        pytest.param("[matchers]", "[constraint]", [("unknown-section", 9), ("section-missing", 1)], id="a-section"),
    ],
)
def test_what_grants_cannot_say_is_refused_at_its_line(old, new, want):
    assert codes(MODEL.replace(old, new)) == want
