# SPDX-License-Identifier: Apache-2.0
"""Tenants, environments, and roles that count in some of them only."""

import pytest

from controlplane.services.errors import Conflict
from controlplane.services.model import Role
from tests.control_planes import make_plane, sqlite_url
from tests.unit.controlplane.api.test_approvals import RELEASES, activate, demand, say


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def bound(under_test, role, environments=None, **members):
    """Return the headers of one more principal, whose role counts in `environments`."""
    body = {"name": "more", "role": role, "environments": environments} | members
    made = under_test.call("POST", "/v1/role-bindings", "admin", json=body)
    assert made.status_code == 201, made.text
    return {"Authorization": f"Bearer {made.json['token']}"}


def environment(under_test, name="staging"):
    return under_test.call("POST", "/v1/environments", "admin", json={"id": name})


def call(under_test, method, path, headers, **arguments):
    return under_test.call(method, path, "admin", headers=headers, **arguments)


class TestEnvironments:
    def test_one_is_made_with_documents_for_its_nodes(self, under_test):
        made = environment(under_test)
        assert (made.status_code, made.json) == (201, {"id": "staging", "serial": 0, "epoch": 1})
        listed = under_test.call("GET", "/v1/environments", "auditor").json["items"]
        assert [one["id"] for one in listed] == ["production", "staging"]
        event = under_test.call("GET", "/v1/admin-events", "auditor").json["items"][-1]
        assert (event["action"], event["target"]) == ("environment_created", "staging")

    def test_it_is_made_once(self, under_test):
        environment(under_test)
        again = environment(under_test)
        assert (again.status_code, again.json["code"]) == (409, "environment-exists")

    @pytest.mark.parametrize("name", ["", "Staging", "-a", "a-", "a/b", "a" * 65, "ä"])
    def test_its_name_stands_in_paths(self, under_test, name):
        assert environment(under_test, name).status_code == 400

    def test_there_are_so_many(self, under_test, monkeypatch):
        monkeypatch.setattr("controlplane.services.tenancy.MOST_ENVIRONMENTS", 2)
        assert environment(under_test).status_code == 201
        assert environment(under_test, "more").json["code"] == "too-many-environments"


class TestTenants:
    def test_a_tenant_begins_with_an_admin_who_sees_nothing_of_others(self, under_test):
        under_test.release()
        operator = bound(under_test, "operator")
        made = call(under_test, "POST", "/v1/tenants", operator, json={"id": "acme"})
        assert (made.status_code, made.json["id"], made.json["environment"]) == (201, "acme", "production")
        admin = {"Authorization": f"Bearer {made.json['admin']['token']}"}
        assert call(under_test, "GET", "/v1/policies", admin).json["items"] == []
        author = call(under_test, "POST", "/v1/role-bindings", admin, json={"name": "a", "role": "author"}).json
        listed = call(under_test, "GET", RELEASES, {"Authorization": f"Bearer {author['token']}"})
        assert listed.json["items"] == []
        tenants = call(under_test, "GET", "/v1/tenants", operator).json["items"]
        assert tenants == [{"id": "acme"}, {"id": "default"}]

    def test_it_is_made_once(self, under_test):
        operator = bound(under_test, "operator")
        call(under_test, "POST", "/v1/tenants", operator, json={"id": "acme"})
        again = call(under_test, "POST", "/v1/tenants", operator, json={"id": "acme"})
        assert (again.status_code, again.json["code"]) == (409, "tenant-exists")

    def test_an_operator_is_of_the_default_tenant(self, under_test):
        operator = bound(under_test, "operator")
        made = call(under_test, "POST", "/v1/tenants", operator, json={"id": "acme"}).json
        admin = {"Authorization": f"Bearer {made['admin']['token']}"}
        refused = call(under_test, "POST", "/v1/role-bindings", admin, json={"name": "o", "role": "operator"})
        assert (refused.status_code, refused.json["code"]) == (403, "not-permitted")

    def test_an_operator_sees_no_policy(self, under_test):
        assert call(under_test, "GET", "/v1/policies", bound(under_test, "operator")).status_code == 403

    def test_it_stands_in_both_logs(self, under_test):
        call(under_test, "POST", "/v1/tenants", bound(under_test, "operator"), json={"id": "acme"})
        with under_test.store.read() as session:
            events = {
                tenant: session.admin_events.page(tenant, after=None, limit=50).items for tenant in ("default", "acme")
            }
        assert all("tenant_created" in {event.action for event in of} for of in events.values())


class TestScopes:
    def test_a_role_counts_where_it_is_bound(self, under_test):
        environment(under_test)
        here, there = bound(under_test, "author", ["production"]), bound(under_test, "author", ["staging"])
        under_test.release()
        assert call(under_test, "POST", RELEASES, here, json={}).status_code == 201
        refused = call(under_test, "POST", RELEASES, there, json={})
        assert (refused.status_code, refused.json["code"]) == (403, "outside-scope")

    def test_an_approver_of_another_environment_neither_approves_nor_activates_nor_goes_back(self, under_test):
        environment(under_test)
        release, elsewhere = under_test.release(), bound(under_test, "approver", ["staging"])
        back = call(under_test, "POST", "/v1/environments/production:rollback", elsewhere, json={})
        answers = [say(under_test, release, headers=elsewhere), activate(under_test, release, headers=elsewhere), back]
        assert [(one.status_code, one.json["code"]) for one in answers] == [(403, "outside-scope")] * 3
        assert activate(under_test, release).status_code == 201
        (made,) = under_test.call("GET", "/v1/activations", "auditor").json["items"]
        for what in ("cancel", "promote", "rollback"):
            refused = call(under_test, "POST", f"/v1/activations/{made['id']}:{what}", elsewhere, json={})
            assert (refused.status_code, refused.json["code"]) == (403, "outside-scope"), what

    def test_an_approval_counts_no_more_where_its_giver_lost_the_environment(self, under_test):
        demand(under_test, approvals_required=2)
        environment(under_test)
        release = under_test.release()
        second = bound(under_test, "approver", ["production"])
        assert say(under_test, release, headers=second).status_code == 201
        with under_test.store.write() as session:
            (theirs,) = [
                one for one in session.principals.page("default", after=None, limit=50).items if one.environments
            ]
            moved = type(theirs)(
                tenant=theirs.tenant,
                id=theirs.id,
                name=theirs.name,
                role=theirs.role,
                created_at=theirs.created_at,
                environments=("staging",),
            )
            session.principals.put(moved, token_hash="0" * 64)
        assert activate(under_test, release).json["code"] == "approvals-missing"

    def test_a_node_reports_and_fetches_where_its_agent_is_bound(self, under_test):
        environment(under_test)
        agent = bound(under_test, "agent", ["staging"])
        status = {"node_id": "n1", "version": "1", "workers": [], "guard_engine": "opa"}
        there = call(under_test, "POST", "/v1/agents/n1/status", agent, json=status | {"environment": "staging"})
        here = call(under_test, "POST", "/v1/agents/n1/status", agent, json=status | {"environment": "production"})
        assert (there.status_code, here.status_code, here.json["code"]) == (200, 403, "outside-scope")

    @pytest.mark.parametrize("role", ["admin", "auditor", "investigator", "operator"])
    def test_roles_over_the_whole_tenant_are_bound_to_no_environment(self, under_test, role):
        body = {"name": "more", "role": role, "environments": ["production"]}
        refused = under_test.call("POST", "/v1/role-bindings", "admin", json=body)
        assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (400, "/environments")

    def test_an_environment_that_is_not_there_is_refused(self, under_test):
        body = {"name": "more", "role": "author", "environments": ["nowhere"]}
        assert under_test.call("POST", "/v1/role-bindings", "admin", json=body).status_code == 400


class TestPersons:
    def test_nobody_approves_as_another_principal_what_they_wrote(self, under_test):
        under_test.release()
        author = bound(under_test, "author", person="alice@corp.example")
        approver = bound(under_test, "approver", person="alice@corp.example")
        release = call(under_test, "POST", RELEASES, author, json={}).json
        for refused in (say(under_test, release, headers=approver), activate(under_test, release, headers=approver)):
            assert (refused.status_code, refused.json["code"]) == (403, "own-release")
        assert activate(under_test, release).status_code == 201

    def test_one_person_approves_once(self, under_test):
        demand(under_test, approvals_required=2)
        release = under_test.release()
        first, second = (bound(under_test, "approver", person="bob@corp.example") for _ in range(2))
        assert say(under_test, release, headers=first).status_code == 201
        again = say(under_test, release, headers=second)
        assert (again.status_code, again.json["code"]) == (409, "approval-given")
        alone = activate(under_test, release, headers=second)
        assert (alone.status_code, alone.json["code"]) == (409, "approvals-missing")
        assert activate(under_test, release).status_code == 201


def test_there_are_so_many_tenants(under_test, monkeypatch):
    monkeypatch.setattr("controlplane.services.tenancy.MOST_TENANTS", 1)
    with under_test.store.read() as session:
        admin = session.principals.by_id("default", "admin")
    operator = type(admin)(tenant="default", id="op", name="op", role=Role.OPERATOR, created_at=admin.created_at)
    with pytest.raises(Conflict, match="too-many-tenants"):
        under_test.plane.tenancy.create_tenant(operator, "acme")
