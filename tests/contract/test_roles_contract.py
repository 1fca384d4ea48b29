# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL role for each task: the whole API works with them, and each is refused what its task does not need."""

import re
from collections.abc import Iterator

import pytest
import structlog
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError

from controlplane.api.openapi import DOCUMENT
from controlplane.app import create_app
from controlplane.bootstrap import assemble
from controlplane.identifiers import new_ulid
from controlplane.services.log_key import LogKey, new_log_key
from controlplane.services.sequencing import Sequencer
from controlplane.store.columns import METADATA
from controlplane.store.engine import open_database
from controlplane.store.grants import INGESTION, SEQUENCING, SERVING, Roles, grant
from controlplane.store.leadership import leadership
from controlplane.store.migrate import check_schema, migrate
from controlplane.store.store import SqlStore
from tests.control_planes import PAYLOAD_KEYS, PlaneUnderTest, make_plane
from tests.records import make_record

pytestmark = pytest.mark.postgres

ROLES = Roles(serving="gh_serving", ingestion="gh_ingestion", sequencing="gh_sequencing")
NAMES = (ROLES.serving, ROLES.ingestion, ROLES.sequencing)
LOG_TABLES = ("records", "payloads", "log_heads", "log_days", "log_tiles", "checkpoints", "sequencer_terms")


@pytest.fixture(scope="module")
def owner(postgres_url: str) -> Iterator[Engine]:
    engine = open_database(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    migrate(engine)
    with engine.begin() as connection:
        for name in NAMES:
            if not connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name}).first():
                connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN")
        grant(connection, ROLES)
        grant(connection, ROLES)  # again, as after every migration
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def as_role(owner: Engine) -> Iterator:
    opened = {
        name: open_database(make_url(owner.url).set(username=name).render_as_string(hide_password=False))
        for name in NAMES
    }
    yield opened.__getitem__
    for engine in opened.values():
        engine.dispose()


@pytest.fixture
def under_test(owner, as_role) -> PlaneUnderTest:
    """A control plane that was prepared by the owner, and works as the roles."""
    prepared = make_plane(owner.url.render_as_string(hide_password=False))
    stores = {name: SqlStore(as_role(name), PAYLOAD_KEYS) for name in NAMES}
    sequencer = Sequencer(
        store=stores[ROLES.sequencing],
        leadership=leadership(as_role(ROLES.sequencing), prepared.clock),
        key=LogKey.parse(new_log_key()),
        clock=prepared.clock,
        new_id=new_ulid,
        pseudonym_key=b"p" * 32,
    )
    plane = assemble(
        prepared.settings,
        stores[ROLES.serving],
        ingestion_store=stores[ROLES.ingestion],
        upkeep_store=stores[ROLES.sequencing],
        sequencer=sequencer,
        clock=prepared.clock,
    )
    app = create_app(plane, url="https://gatehouse.test")
    yield PlaneUnderTest(plane, app, stores[ROLES.serving], prepared.clock, prepared.public_key, prepared.settings)
    sequencer._leadership.close()
    prepared.store.close()


def test_every_table_was_given_or_kept_from_each_role_on_purpose():
    for allowed in (SERVING, INGESTION, SEQUENCING):
        assert set(allowed) <= {*METADATA.tables, "alembic_version"}
    writers = {
        table
        for allowed in (SERVING, INGESTION, SEQUENCING)
        for table, privileges in allowed.items()
        if "INSERT" in privileges or "UPDATE" in privileges
    }
    assert set(METADATA.tables) - writers == set()


def test_every_table_that_there_is_was_given_to_somebody(owner):
    """By what PostgreSQL says, so that a table that no module of ours knows is named as well."""
    may = " OR ".join(f"has_table_privilege('{name}', c.oid, 'INSERT, UPDATE')" for name in NAMES)
    forgotten = (
        "SELECT relname FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
        f"AND NOT relispartition AND relname <> 'alembic_version' AND NOT ({may})"
    )
    with owner.connect() as connection:
        assert set(connection.execute(text(forgotten)).scalars()) == set()


def test_the_whole_api_works_with_separate_roles(under_test):
    with structlog.testing.capture_logs() as logged:
        release = under_test.release()
        under_test.activate(release["id"])
        made = under_test.call("POST", "/v1/api-keys", "admin", json={"subject": "user:alice"})
        assert made.status_code == 201, made.text
        assert under_test.call("DELETE", f"/v1/api-keys/{made.json['id']}", "admin").status_code == 204
        assert under_test.call("PUT", "/v1/blocked-subjects/user:mallory", "admin").status_code in {200, 204}
        status = {"node_id": "n1", "environment": "production", "version": "1", "guard_engine": "opa", "workers": []}
        assert under_test.call("POST", "/v1/agents/n1/status", "agent", json=status).status_code == 200
        for _ in range(2):
            assert under_test.ingest(make_record(seq=1), make_record(seq=3)).status_code == 200
        under_test.ingest_bytes(b"not json\n")
        under_test.plane.sequencer.step()
        assert [log.altered for log in under_test.plane.sequencer.status()] == [None]
        assert under_test.call("GET", "/tlog/default/checkpoint", "auditor").status_code == 200
        found = under_test.call("GET", "/v1/decisions", "auditor").json["items"]
        assert len(found) == 2
        assert under_test.call("GET", f"/v1/decisions/{found[0]['request_id']}", "auditor").status_code == 200
        under_test.plane.erasures.go_on()
        _everything_once(under_test)
    assert [event for event in logged if event["event"] in {"request_failed", "store_unavailable"}] == []


def _everything_once(under_test: PlaneUnderTest) -> None:
    """Call every endpoint that takes no body with whoever may: none may fail for want of a right."""
    for path, operations in under_test.app.extensions[DOCUMENT]["paths"].items():
        if path.startswith("/opa/") and "get" in operations:
            continue
        for method in operations.keys() & {"get", "delete", "put", "post"}:
            concrete = path.replace("{environment}", "production").replace("{tenant}", "default")
            concrete = re.sub(r"\{(\w+)\}", r"\1", concrete)
            for role in ("auditor", "approver", "author", "agent", "admin"):
                answer = under_test.call(method.upper(), concrete, role)
                assert answer.status_code != 500, (method, path, role, answer.text)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (a int)",
        "ALTER TABLE records ADD COLUMN mine int",
        "DROP TABLE records_default",
        "TRUNCATE log_tiles",
        "UPDATE records SET envelope = 'x'",
        "UPDATE payloads SET content = 'x'",
        "DELETE FROM log_tiles",
        "DELETE FROM log_heads",
        "DELETE FROM checkpoints",
        "DELETE FROM admin_events",
        "CREATE ROLE another",
    ],
)
def test_nobody_but_the_owner_may(as_role, name, statement):
    _refused(as_role(name), statement)


@pytest.mark.parametrize("table", LOG_TABLES)
@pytest.mark.parametrize("statement", ["INSERT INTO {} DEFAULT VALUES", "UPDATE {} SET {} = NULL", "DELETE FROM {}"])
def test_serving_writes_nothing_of_the_log(as_role, table, statement):
    column = "tenant" if table != "sequencer_terms" else "holder"
    _refused(as_role(ROLES.serving), statement.format(table, column))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM records",
        "DELETE FROM payloads",
        "SELECT * FROM checkpoints",
        "UPDATE sequencer_terms SET fence = 9",
        "SELECT * FROM principals",
        "SELECT * FROM policies",
        "SELECT * FROM admin_events",
        "SELECT * FROM api_keys",
    ],
)
def test_ingestion_knows_nothing_but_records(as_role, statement):
    _refused(as_role(ROLES.ingestion), statement)


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM principals", "SELECT * FROM policies", "SELECT * FROM api_keys", "SELECT * FROM releases"],
)
def test_sequencing_knows_nothing_of_policies_and_keys(as_role, statement):
    _refused(as_role(ROLES.sequencing), statement)


def test_sequencing_may_drop_what_retention_drops(as_role):
    with as_role(ROLES.sequencing).begin() as connection:
        connection.exec_driver_sql("DELETE FROM records")
        connection.exec_driver_sql("DELETE FROM payloads")


def test_serving_sees_which_schema_there_is(as_role):
    check_schema(as_role(ROLES.serving))


def _refused(engine: Engine, statement: str) -> None:
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), engine.begin() as connection:
        connection.exec_driver_sql(statement)
