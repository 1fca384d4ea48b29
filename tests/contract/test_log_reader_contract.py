# SPDX-License-Identifier: Apache-2.0
"""What the log gives back of what was appended: entries, tree and days, on every database."""

import hashlib
from datetime import date

import pytest

from controlplane.services.record_lines import read_line
from controlplane.services.records import Head, LogDay, TileMissing
from tests.records import NOON, make_record

T = "default"
EMPTY_ROOT = hashlib.sha256(b"").digest()


def append(store, first: int, count: int, at=NOON) -> list[bytes]:
    records = [read_line(make_record(seq=seq).to_line(), tenant=T) for seq in range(first, first + count)]
    with store.write() as session:
        assert session.decisions.append(T, records, [], at=at).stored == count
    return [record.envelope for record in records]


def leaf(envelope: bytes) -> bytes:
    return hashlib.sha256(b"\0" + envelope).digest()


def root(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, as it stands there."""
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY_ROOT
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\1" + root(leaves[:split]) + root(leaves[split:])).digest()


def test_an_empty_log_has_the_root_of_the_empty_tree(store):
    with store.read() as session:
        assert session.log.head(T) == Head(size=0, root=EMPTY_ROOT, day=None)
        assert session.log.days(T) == ()
        assert list(session.log.entries(T, 0, 9)) == []
        assert session.log.entry(T, 0) is None


def test_the_root_is_that_of_all_envelopes_after_every_append(store):
    envelopes: list[bytes] = []
    for count in (1, 2, 5, 247, 1, 3):
        envelopes += append(store, len(envelopes) + 1, count)
        with store.read() as session:
            head = session.log.head(T)
        assert (head.size, head.root) == (len(envelopes), root([leaf(envelope) for envelope in envelopes]))


@pytest.mark.parametrize(
    ("first", "last", "want"),
    [
        pytest.param(0, 9, range(10), id="all"),
        pytest.param(3, 5, range(3, 6), id="both ends included"),
        pytest.param(8, 99, range(8, 10), id="beyond the end"),
        pytest.param(10, 12, range(0), id="after the end"),
        pytest.param(5, 4, range(0), id="none"),
    ],
)
def test_entries_come_in_order_and_as_they_were_received(store, first, last, want):
    envelopes = append(store, 1, 10)
    with store.read() as session:
        got = list(session.log.entries(T, first, last))
    assert [(entry.log_index, entry.envelope) for entry in got] == [(index, envelopes[index]) for index in want]
    assert all(entry.leaf_hash == leaf(entry.envelope) and entry.kind == "terminal" for entry in got)
    assert all(entry.payload and entry.received_at == NOON for entry in got)


def test_entries_go_over_the_end_of_a_slice(store):
    envelopes = append(store, 1, 600)
    with store.read() as session:
        assert [entry.envelope for entry in session.log.entries(T, 0, 599)] == envelopes
        assert session.log.entry(T, 599).envelope == envelopes[599]


def test_a_tile_has_the_leaf_hashes_as_far_as_the_log_goes(store):
    leaves = [leaf(envelope) for envelope in append(store, 1, 300)]
    with store.read() as session:
        assert session.log.tile(T, 0, 0, 256) == b"".join(leaves[:256])
        assert session.log.tile(T, 0, 1, 44) == b"".join(leaves[256:])
        assert session.log.tile(T, 0, 1, 7) == b"".join(leaves[256:263])
        for level, number, width in ((0, 1, 45), (0, 2, 1), (0, 0, 0), (0, 0, 257), (2, 0, 1)):
            with pytest.raises(TileMissing):
                session.log.tile(T, level, number, width)


def test_days_follow_each_other_without_hole(store):
    append(store, 1, 3)
    append(store, 4, 2, at=NOON.replace(day=21))
    with store.read() as session:
        assert session.log.days(T) == (
            LogDay(day=date(2026, 11, 20), first_index=0, end_index=3),
            LogDay(day=date(2026, 11, 21), first_index=3, end_index=5),
        )
        assert session.log.head(T).day == date(2026, 11, 21)


def test_a_log_is_of_its_tenant_only(store):
    append(store, 1, 3)
    with store.read() as session:
        assert session.log.size("other") == 0
        assert session.log.entry("other", 0) is None
