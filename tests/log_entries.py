# SPDX-License-Identifier: Apache-2.0
"""Records for tests of the log, and what the log must then be: recomputed from its envelopes, with no code of its own."""

import hashlib
from typing import Any

import orjson
from sqlalchemy import Engine, select

from controlplane.services.record_lines import read_line
from controlplane.services.records import SOURCE_SCHEMA, ReceivedRecord
from controlplane.store.log_tables import source_boots, source_gaps, source_runs
from controlplane.store.store import SqlStore
from policies.contracts.codec import canonical_bytes
from policies.contracts.record import DecisionRecord
from tests.records import make_record

T = "default"


def received(**members) -> ReceivedRecord:
    return read_line(make_record(**members).to_line(), tenant=T)


def of_source(kind: str, seq: int, *, boot_id: str = "b0", **members) -> ReceivedRecord:
    """Return what the source says of itself."""
    envelope = {
        "schema": SOURCE_SCHEMA,
        "kind": kind,
        "record_id": f"{kind}_{boot_id}_{seq}",
        "tenant": T,
        "environment": "production",
        "source": {"id": "node-1/w0", "boot_id": boot_id, "seq": seq},
        "time": "2026-11-20T18:00:00.123456Z",
        "payload_digest": None,
        **members,
    }
    return read_line(DecisionRecord(canonical_bytes(envelope), b"").to_line(), tenant=T)


def envelopes(store: SqlStore) -> list[dict[str, Any]]:
    with store.read() as session:
        return [orjson.loads(entry.envelope) for entry in session.log.entries(T, 0, session.log.size(T))]


def told(store: SqlStore) -> list[str]:
    """Return the log in words: `b0:3`, `gap b0:1-2`, `closed b0:1-2`."""
    found = []
    for envelope in envelopes(store):
        if envelope["kind"] == "gap":
            gap = envelope["gap"]
            word = "gap" if gap["state"] == "open" else gap["state"]
            found.append(f"{word} {gap['boot_id']}:{gap['first_seq']}-{gap['last_seq']}")
            assert gap["count"] == gap["last_seq"] - gap["first_seq"] + 1
        else:
            found.append(f"{envelope['source']['boot_id']}:{envelope['source']['seq']}")
    return found


def leaf(envelope: bytes) -> bytes:
    return hashlib.sha256(b"\0" + envelope).digest()


def root(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, as it stands there."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\1" + root(leaves[:split]) + root(leaves[split:])).digest()


def check_log(store: SqlStore, engine: Engine) -> None:
    """Raise unless the log is dense, its tree that of its envelopes, and each number in one run or one gap."""
    with store.read() as session:
        head = session.log.head(T)
        entries = list(session.log.entries(T, 0, head.size - 1))
        days = session.log.days(T)
    assert [entry.log_index for entry in entries] == list(range(head.size))
    assert [entry.leaf_hash for entry in entries] == [leaf(entry.envelope) for entry in entries]
    assert head.root == root([entry.leaf_hash for entry in entries])
    ends = [0, *(day.end_index for day in days)]
    assert [day.first_index for day in days] == ends[:-1]
    assert ends[-1] == head.size
    numbered = [orjson.loads(entry.envelope)["source"] for entry in entries]
    with engine.connect() as connection:
        boots = connection.execute(select(source_boots)).all()
        runs = connection.execute(select(source_runs)).all()
        gaps = connection.execute(select(source_gaps)).all()
    stored = 0
    for boot in boots:
        in_runs = {
            run.first_seq + step: run.first_index + step
            for run in runs
            if run.boot_ref == boot.ref
            for step in range(run.last_seq - run.first_seq + 1)
        }
        missing = {seq for gap in gaps if gap.boot_ref == boot.ref for seq in range(gap.first_seq, gap.last_seq + 1)}
        assert not missing & in_runs.keys()
        assert missing | in_runs.keys() == set(range(1, boot.last_seq + 1))
        for seq, index in in_runs.items():
            assert numbered[index] == {"id": boot.source_id, "boot_id": boot.boot_id, "seq": seq}
        stored += len(in_runs)
    assert stored == sum(source is not None for source in numbered)
