# SPDX-License-Identifier: Apache-2.0
"""What `controlplane.services.ports` promises, on every database."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.dimensions import Dimension
from controlplane.services.errors import StoreUnavailable
from controlplane.services.model import ApiKey, Artifact, BlockedSubject, Policy, PolicyRevision, Principal, Role
from controlplane.services.record_lines import put_aside, read_line
from controlplane.services.records import Ingested, ReceivedRecord
from controlplane.store.columns import METADATA
from controlplane.store.migrate import SchemaOutdated, check_schema
from controlplane.store.partitions import is_partition
from controlplane.store.store import SqlStore
from policies.contracts.scope import UNSCOPED, Scope
from tests.records import NOON, make_record

T = "default"


def received(**members) -> ReceivedRecord:
    return read_line(make_record(**members).to_line(), tenant=T)


def append(store: SqlStore, *records: ReceivedRecord) -> Ingested:
    with store.write() as session:
        return session.decisions.append(T, records, [], at=NOON)


def find(store: SqlStore, *, descending: bool = False, since=None, until=None, request_ids=(), **values) -> list[str]:
    with store.read() as session:
        found = session.decision_index.find(
            T,
            DecisionFilter(
                values={Dimension(name): wanted for name, wanted in values.items()},
                since=since,
                until=until,
                request_ids=request_ids,
            ),
            after=None,
            as_of=session.decisions.size(T),
            descending=descending,
            limit=100,
        )
    return [decision.request_id for decision in found.items]


def api_key(key_id: str, **changes) -> ApiKey:
    members = {"subject": "user:alice", "hash": "h", "created_by": "admin", "expires_at": None, "revoked_at": None}
    return ApiKey(**{"tenant": T, "environment": "production", "id": key_id, "created_at": NOON} | members | changes)


def policy(name: str = "chat-access") -> Policy:
    return Policy(
        tenant=T,
        id=name,
        kind="access",
        version="1",
        revision="sha256:1",
        author="author",
        filename="a.yaml",
        created_at=NOON,
        updated_at=NOON,
    )


def is_of_the_schema(name: str | None, kind: str, _parents) -> bool:
    return not (kind == "table" and name is not None and is_partition(name))


def test_migrations_give_the_tables_the_code_works_on(engine):
    with engine.connect() as connection:
        migrations = MigrationContext.configure(connection, opts={"include_name": is_of_the_schema})
        assert compare_metadata(migrations, METADATA) == []
    check_schema(engine)


def test_a_database_of_another_schema_is_refused(engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'older'")
    with pytest.raises(SchemaOutdated, match="controlplane init"):
        check_schema(engine)


def test_a_failed_transaction_leaves_nothing(store):
    def change_and_fail() -> None:
        with store.write() as session:
            session.policies.add(policy())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_and_fail()
    with store.read() as session:
        assert session.policies.get(T, "chat-access") is None


def test_a_policy_is_of_its_tenant_only(store):
    with store.write() as session:
        assert session.policies.add(policy())
        assert not session.policies.add(policy())
        assert session.policies.add(replace(policy(), tenant="other"))
        session.policies.remove(T, "chat-access", at=NOON)
    with store.read() as session:
        assert session.policies.get(T, "chat-access") is None
        assert session.policies.get("other", "chat-access") is not None


def test_a_removed_policy_can_be_added_again_and_keeps_its_revisions(store):
    revision = PolicyRevision(
        tenant=T,
        policy="chat-access",
        kind="access",
        version="1",
        revision="sha256:1",
        filename="a.yaml",
        source="é\n".encode(),
        author="author",
        created_at=NOON,
    )
    with store.write() as session:
        session.policies.add(policy())
        session.policies.add_revision(revision)
        session.policies.remove(T, "chat-access", at=NOON)
        session.policies.add_revision(replace(revision, author="somebody else"))
        assert session.policies.add(policy())
    with store.read() as session:
        assert session.policies.revision(T, "chat-access", "sha256:1") == revision
        assert session.policies.get(T, "chat-access") == policy()


def test_pages_follow_each_other_without_gap_or_repetition(store):
    names = [f"p{number:02}" for number in range(7)]
    with store.write() as session:
        for name in names:
            session.policies.add(policy(name))
    got, after = [], None
    with store.read() as session:
        while True:
            page = session.policies.page(T, after=after, limit=3)
            got += [item.id for item in page.items]
            if (after := page.next_key) is None:
                break
    assert got == names


def test_a_principal_is_found_by_the_hash_of_its_newest_token(store):
    admin = Principal(tenant=T, id="admin", name="admin", role=Role.ADMIN, created_at=NOON)
    with store.write() as session:
        session.principals.put(admin, token_hash="old")
        session.principals.put(admin, token_hash="new")
    with store.read() as session:
        assert session.principals.by_token_hash("new") == admin
        assert session.principals.by_token_hash("old") is None


def test_serial_and_credentials_of_an_environment(store):
    with store.write() as session:
        session.environments.ensure(T, "production")
        session.environments.ensure(T, "production")
        assert session.environments.credentials(T, "production") is None
        session.environments.set_serial(T, "production", 3)
        session.environments.set_credentials(T, "production", 2, Artifact(etag="e", content=b"\0jws"))
    with store.read() as session:
        assert session.environments.heads() == {(T, "production"): (3, 2, 0, 0)}
        assert session.environments.credentials(T, "production") == Artifact(etag="e", content=b"\0jws")


def test_a_key_comes_back_as_it_was_kept_and_is_replaced_once_for_all(store):
    scoped = api_key("01A", scope=Scope(operations=("chat.completions",), models=("a", "b")))
    with store.write() as session:
        session.environments.ensure(T, "production")
        session.api_keys.add(scoped)
        session.api_keys.add(api_key("01B"))
        session.api_keys.replace(T, "01B", by="01C", expires_at=NOON)
        session.api_keys.replace("another", "01A", by="01C", expires_at=NOON)
    with store.read() as session:
        assert session.api_keys.of_environment(T, "production") == (
            scoped,
            replace(api_key("01B"), expires_at=NOON, replaced_by="01C"),
        )


def test_subjects_are_blocked_in_their_environment_only(store):
    block = BlockedSubject(
        tenant=T, environment="production", subject="user:mallory", blocked_by="admin", blocked_at=NOON
    )
    with store.write() as session:
        assert session.blocked_subjects.add(block)
        assert not session.blocked_subjects.add(replace(block, blocked_by="another"))
        assert session.blocked_subjects.add(replace(block, subject="user:eve"))
        assert not session.blocked_subjects.remove(T, "staging", "user:mallory")
    with store.read() as session:
        page = session.blocked_subjects.page(T, "production", after="user:eve", limit=5)
        assert (page.items, page.next_key) == ((block,), None)
        assert session.blocked_subjects.of_environment(T, "staging") == ()
    with store.write() as session:
        assert session.blocked_subjects.remove(T, "production", "user:mallory")
    with store.read() as session:
        assert [each.subject for each in session.blocked_subjects.of_environment(T, "production")] == ["user:eve"]


def test_what_the_release_before_writes_is_a_key_without_scope(store, engine):
    columns = "tenant, id, environment, subject, hash, created_by, created_at"
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO api_keys ({columns}) VALUES ('{T}', '01A', 'production', 'user:alice', 'h', 'admin', 0)"
        )
    with store.read() as session:
        [key] = session.api_keys.of_environment(T, "production")
    assert (key.scope, key.replaced_by, key.revoked_at) == (UNSCOPED, None, None)


def test_indexes_are_dense_and_records_sent_twice_are_stored_once(store):
    first, second, third = (received(seq=number) for number in (1, 2, 3))
    assert append(store, first, second, second) == Ingested(stored=2, duplicates=1, quarantined=0)
    assert append(store, second, third) == Ingested(stored=1, duplicates=1, quarantined=0)
    with store.read() as session:
        assert session.decisions.size(T) == 3
        assert [session.decision_index.index_of(T, r.record_id, as_of=3) for r in (first, second, third)] == [0, 1, 2]


def test_the_bytes_come_back_as_they_were_received(store):
    record = received(seq=1)
    append(store, record)
    with store.read() as session:
        (kept,) = session.decision_index.records(T, record.request_id, as_of=1)
    assert (kept.envelope, kept.payload) == (record.envelope, record.payload)


def test_another_content_at_a_known_sequence_number_is_put_aside(store):
    append(store, received(seq=1))
    forged = received(seq=1, outcome="deny")
    assert append(store, forged) == Ingested(stored=0, duplicates=0, quarantined=1)
    assert append(store, forged) == Ingested(stored=0, duplicates=0, quarantined=1)
    assert find(store, outcome=("deny",)) == []


def test_quarantine_takes_any_bytes_and_the_same_ones_once(store):
    line = put_aside(b"\xff\0{", tenant=T, reason="line-not-json")
    with store.write() as session:
        session.decisions.append(T, [], [line, line], at=NOON)
        session.decisions.append(T, [], [line], at=NOON)
        assert session.decisions.size(T) == 0


@pytest.mark.parametrize("order", ["admission-first", "terminal-first", "one-batch"])
def test_admission_and_terminal_record_become_one_decision(store, order):
    admission = received(seq=1, request_id="req_1", kind="admission")
    terminal = received(seq=2, request_id="req_1", outcome="deny", reasons=(("access-denied", "chat-access"),))
    batches = {
        "admission-first": [[admission], [terminal]],
        "terminal-first": [[terminal], [admission]],
        "one-batch": [[admission, terminal]],
    }[order]
    for batch in batches:
        append(store, *batch)
    assert find(store) == ["req_1"]
    assert find(store, outcome=("deny",), reason=("access-denied",)) == ["req_1"]
    assert find(store, outcome=("allow",)) == []
    with store.read() as session:
        decision = session.decision_index.by_request(T, "req_1", as_of=session.log.size(T))
    assert decision is not None
    assert (decision.admission.envelope, decision.terminal.envelope) == (admission.envelope, terminal.envelope)


@pytest.mark.parametrize(
    ("wanted", "want"),
    [
        pytest.param({}, ["req_b0_1", "req_b0_2", "req_b0_3"], id="no filter"),
        pytest.param({"model": ("owl",)}, ["req_b0_2"], id="model"),
        pytest.param({"model": ("owl", "parrot")}, ["req_b0_1", "req_b0_2", "req_b0_3"], id="either model"),
        pytest.param({"reason": ("no-applicable-policy",)}, ["req_b0_3"], id="reason"),
        pytest.param({"policy": ("caps",)}, ["req_b0_3"], id="policy of a reason"),
        pytest.param({"policy": ("chat-access",), "model": ("owl",)}, ["req_b0_2"], id="policy and model"),
        pytest.param({"since": NOON.replace(hour=18, minute=30)}, ["req_b0_2", "req_b0_3"], id="since, inclusive"),
        pytest.param({"until": NOON.replace(hour=18, minute=30)}, ["req_b0_1"], id="until, exclusive"),
        pytest.param({"request_ids": ("req_b0_2",)}, ["req_b0_2"], id="request"),
        pytest.param({"verdict": ("blocked",)}, ["req_b0_3"], id="verdict"),
        pytest.param({"model": ("' OR 1=1 --",)}, [], id="not SQL"),
    ],
)
def test_filters(store, wanted, want):
    append(
        store,
        received(seq=1),
        received(seq=2, model="owl", time="2026-11-20T18:30:00Z"),
        received(seq=3, outcome="deny", reasons=(("no-applicable-policy", "caps"),), time="2026-11-20T18:31:00Z"),
    )
    assert find(store, **wanted) == want
    assert find(store, descending=True, **wanted) == want[::-1]


def test_appends_at_once_give_every_index_once(store):
    append(store, received(boot_id="first"))
    batches = [[received(seq=number, boot_id=f"b{worker}") for number in range(1, 6)] for worker in range(4)]

    def deliver(batch: list[ReceivedRecord]) -> int:
        for _ in range(5):
            try:
                return append(store, *batch).stored
            except StoreUnavailable:
                continue
        return 0

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(deliver, batches)) == [5, 5, 5, 5]
    with store.read() as session:
        assert session.decisions.size(T) == 21
    assert len(find(store)) == 21
