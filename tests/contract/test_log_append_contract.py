# SPDX-License-Identifier: Apache-2.0
"""What goes into the log: each number once, every gap said, one terminal record for a request; on every database."""

import random
from datetime import timedelta

import pytest
from sqlalchemy import select

from controlplane.services.gap_entries import gap_entry
from controlplane.services.records import Batch, Gap, GapState, Ingested, ReceivedRecord, SourceClaim
from controlplane.store.log_tables import quarantine, source_runs
from tests.log_entries import T, check_log, envelopes, of_source, received, told
from tests.records import NOON


@pytest.fixture
def append(store, engine):
    def append(*records: ReceivedRecord, at=NOON) -> Ingested:
        with store.write() as session:
            ingested = session.decisions.append(T, records, [], at=at)
        check_log(store, engine)
        return ingested

    return append


@pytest.fixture
def claim(store, engine):
    def claim(*claims: tuple[str, int], after_s: int = 0) -> list[tuple[str, int, int]]:
        said = [
            SourceClaim(source_id="node-1/w0", boot_id=boot_id, environment="production", last_seq=last)
            for boot_id, last in claims
        ]
        with store.write() as session:
            gaps = session.decisions.claim(T, said, at=NOON + timedelta(seconds=after_s))
        check_log(store, engine)
        return [(gap.boot_id, gap.first_seq, gap.last_seq) for gap in gaps]

    return claim


def numbers(*given: int, boot_id: str = "b0") -> list[ReceivedRecord]:
    return [received(seq=seq, boot_id=boot_id) for seq in given]


def reasons(engine) -> list[str]:
    with engine.connect() as connection:
        return sorted(connection.execute(select(quarantine.c.reason)).scalars())


@pytest.mark.parametrize(
    ("batches", "want"),
    [
        pytest.param([[1, 2], [3]], ["b0:1", "b0:2", "b0:3"], id="nothing missing"),
        pytest.param([[1], [3]], ["b0:1", "gap b0:2-2", "b0:3"], id="a jump"),
        pytest.param([[4]], ["gap b0:1-3", "b0:4"], id="the first number is not 1"),
        pytest.param([[1, 3, 6]], ["b0:1", "gap b0:2-2", "b0:3", "gap b0:4-5", "b0:6"], id="two in a batch"),
        pytest.param([[3, 1, 2]], ["b0:1", "b0:2", "b0:3"], id="out of order within a batch is no gap"),
        pytest.param([[3], [1, 2]], ["gap b0:1-2", "b0:3", "b0:1", "b0:2", "closed b0:1-2"], id="all arrive later"),
        pytest.param(
            [[6], [2, 3, 5]],
            ["gap b0:1-5", "b0:6", "b0:2", "b0:3", "b0:5", "closed b0:2-3", "closed b0:5-5"],
            id="some arrive later",
        ),
        pytest.param(
            [[6], [2, 3], [1, 4]],
            ["gap b0:1-5", "b0:6", "b0:2", "b0:3", "closed b0:2-3", "b0:1", "b0:4", "closed b0:1-1", "closed b0:4-4"],
            id="more of a gap arrives",
        ),
        pytest.param(
            [[3], [1, 2, 4, 6]],
            ["gap b0:1-2", "b0:3", "b0:1", "b0:2", "b0:4", "gap b0:5-5", "b0:6", "closed b0:1-2"],
            id="late ones and new ones together",
        ),
    ],
)
def test_what_is_missing_stands_in_the_log(store, append, batches, want):
    for batch in batches:
        append(*numbers(*batch))
    assert told(store) == want


def test_a_batch_that_is_sent_again_is_known_wherever_it_stands(append):
    append(*numbers(1, 2, 5))
    append(*numbers(1, 2, boot_id="b1"))
    append(*numbers(3, 6, 7))
    assert append(*numbers(*range(1, 8))) == Ingested(stored=1, duplicates=6, quarantined=0)
    assert append(*numbers(*range(1, 8))) == Ingested(stored=0, duplicates=7, quarantined=0)


def test_another_content_at_a_known_number_is_a_conflict_wherever_it_stands(append, engine):
    append(*numbers(1, 2, 5))
    append(*numbers(3))
    forged = [received(seq=seq, outcome="deny") for seq in (1, 3, 5)]
    assert append(*forged) == Ingested(stored=0, duplicates=0, quarantined=3)
    both = [received(seq=6), received(seq=6, outcome="deny")]
    assert append(*both) == Ingested(stored=1, duplicates=0, quarantined=1)
    assert reasons(engine) == ["sequence-conflict"] * 4


def test_what_is_found_missing_is_told_to_who_sent_it(append):
    assert append(*numbers(3)).gaps == (
        Gap(
            source_id="node-1/w0",
            boot_id="b0",
            environment="production",
            first_seq=1,
            last_seq=2,
            state=GapState.OPEN,
        ),
    )
    assert append(*numbers(1, 2)).gaps == ()


def test_a_request_has_one_terminal_record_the_first_that_came(store, append, engine):
    real = received(seq=1, request_id="req_1")
    lost = received(seq=1, boot_id="node", request_id="req_1", outcome="error_deny", reasons=(("worker-lost", ""),))
    append(real)
    assert append(lost, received(seq=2, boot_id="node")).quarantined == 1
    assert append(lost).quarantined == 1
    # Its number was given and is not in the log, which the log says.
    assert told(store) == ["b0:1", "gap node:1-1", "node:2"]
    assert reasons(engine) == ["terminal-twice"]
    with store.read() as session:
        kept = session.decision_index.by_request(T, "req_1", as_of=session.log.size(T))
    assert kept.terminal.envelope == real.envelope


def test_two_terminal_records_in_one_batch_are_one_too_many(append, engine):
    ingested = append(received(seq=1, request_id="req_1"), received(seq=2, request_id="req_1"))
    assert (ingested.stored, ingested.quarantined) == (1, 1)
    assert reasons(engine) == ["terminal-twice"]


def test_admission_and_terminal_record_are_both_stored(append):
    admission = received(seq=1, request_id="req_1", kind="admission")
    assert append(admission, received(seq=2, request_id="req_1")).stored == 2


def test_records_of_the_source_itself_are_numbered_with_the_others(store, append):
    append(of_source("start", 1, previous=None), received(seq=2), of_source("heartbeat", 3), of_source("stop", 4))
    assert [envelope["kind"] for envelope in envelopes(store)] == ["start", "terminal", "heartbeat", "stop"]


@pytest.mark.parametrize(
    ("previous", "want"),
    [
        pytest.param({"boot_id": "b0", "seq": 2}, [], id="nothing is missing"),
        pytest.param({"boot_id": "b0", "seq": 4}, ["gap b0:3-4"], id="the end of the process before"),
        pytest.param({"boot_id": "never", "seq": 3}, ["gap never:1-3"], id="a process nothing came of"),
        pytest.param({"boot_id": "never", "seq": 0}, [], id="a process that wrote nothing"),
        pytest.param(None, [], id="no process before"),
    ],
)
def test_a_start_tells_how_far_the_process_before_it_had_come(store, append, previous, want):
    append(*numbers(1, 2))
    append(of_source("start", 1, boot_id="b1", previous=previous))
    assert told(store) == ["b0:1", "b0:2", "b1:1", *want]


def test_what_a_start_found_missing_closes_when_it_arrives(store, append):
    append(of_source("start", 1, boot_id="b1", previous={"boot_id": "b0", "seq": 2}))
    append(*numbers(1, 2, 3))
    assert told(store) == ["b1:1", "gap b0:1-2", "b0:1", "b0:2", "b0:3", "closed b0:1-2"]


def test_a_claim_that_nothing_follows_is_a_gap_after_a_minute(store, append, claim):
    append(*numbers(1))
    assert claim(("b0", 3)) == []
    assert claim(("b0", 5), after_s=59) == []
    assert claim(("b0", 5), after_s=60) == [("b0", 2, 3)]  # what was claimed a minute ago, not what is claimed now
    assert claim(("b0", 5), after_s=61) == []
    assert claim(after_s=121) == [("b0", 4, 5)]
    assert told(store) == ["b0:1", "gap b0:2-3", "gap b0:4-5"]


def test_a_claim_of_a_process_nothing_came_of_is_a_gap(store, claim):
    claim(("b0", 2))
    assert claim(after_s=60) == [("b0", 1, 2)]
    assert told(store) == ["gap b0:1-2"]


def test_a_source_that_is_still_being_shipped_has_lost_nothing(append, claim):
    claim(("b1", 2))
    append(*numbers(1), at=NOON + timedelta(seconds=30))  # an older process of the same spool
    assert claim(("b1", 2), after_s=60) == []
    assert claim(("b1", 2), after_s=90) == [("b1", 1, 2)]


def test_a_claim_that_is_met_is_forgotten(append, claim):
    claim(("b0", 2))
    append(*numbers(1, 2))
    assert claim(("b0", 2), after_s=300) == []
    assert claim(("b0", 3), after_s=301) == []
    assert claim(after_s=360) == []
    assert claim(after_s=361) == [("b0", 3, 3)]


def test_what_is_missing_of_each_source_is_counted(store, append):
    append(*numbers(1, 4))
    append(*numbers(2, boot_id="b1"))
    append(*numbers(3))
    with store.read() as session:
        (source,) = session.decisions.sources(T)
        assert session.decisions.sources("other") == ()
    assert (source.source_id, source.boots, source.missing) == ("node-1/w0", 2, 2)


def test_batches_that_are_stored_together_have_counts_of_their_own(store, engine):
    batches = [
        Batch(records=numbers(1, 2), quarantined=()),
        Batch(records=numbers(2, 3), quarantined=()),
        Batch(records=numbers(5, boot_id="b1"), quarantined=()),
    ]
    with store.write() as session:
        first, second, third = session.decisions.append_batches(T, batches, at=NOON)
    check_log(store, engine)
    assert (first.stored, first.duplicates) == (2, 0)
    assert (second.stored, second.duplicates) == (1, 1)
    assert (third.stored, [gap.count for gap in third.gaps]) == (1, [4])


def test_what_the_control_plane_writes_has_no_number(store, engine, append):
    append(*numbers(1))
    gap = Gap(source_id="s", boot_id="b", environment=None, first_seq=1, last_seq=1, state=GapState.OPEN)
    entries = [gap_entry(gap, tenant=T, record_id=str(number), at=NOON) for number in range(2)]
    with store.write() as session:
        assert session.decisions.append_own(T, entries, at=NOON) == 1
    check_log(store, engine)
    append(*numbers(2))
    assert [envelope["record_id"] for envelope in envelopes(store)] == ["rec_b0_1", "0", "1", "rec_b0_2"]


def test_the_day_of_the_log_never_goes_back(store, append):
    append(*numbers(1), at=NOON)
    append(*numbers(2), at=NOON - timedelta(days=3))
    append(*numbers(3), at=NOON + timedelta(days=2))
    with store.read() as session:
        days = [(day.day.day, day.first_index, day.end_index) for day in session.log.days(T)]
    assert days == [(20, 0, 2), (22, 2, 3)]


def test_a_batch_that_continues_the_one_before_is_the_same_run(append, engine):
    for first in range(1, 400, 40):
        append(*numbers(*range(first, first + 40)))
    with engine.connect() as connection:
        (run,) = connection.execute(select(source_runs)).all()
    assert (run.first_seq, run.last_seq, run.first_index) == (1, 400, 0)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_arrives_in_whatever_order_is_stored_once(store, append, seed):
    draw = random.Random(seed)
    records = [received(seq=seq, boot_id=boot_id) for boot_id in ("b0", "b1", "b2") for seq in range(1, 21)]
    left = list(records)
    while left:
        batch = draw.sample(records, 12) if draw.random() < 0.8 else list(left)
        draw.shuffle(batch)
        fresh = [record for record in batch if record in left]
        assert append(*batch).stored == len(fresh)
        left = [record for record in left if record not in fresh]
    kept = [word for word in told(store) if " " not in word]
    assert sorted(kept) == sorted(f"{record.boot_id}:{record.seq}" for record in records)
