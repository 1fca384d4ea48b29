# SPDX-License-Identifier: Apache-2.0
"""What is found is exactly what a plain filter over all records finds: any records, filters, order and size of log."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine

from controlplane.sealing import KeyRing
from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.dimensions import Dimension
from controlplane.services.record_lines import read_line
from controlplane.services.records import ReceivedRecord
from controlplane.store.bulk import change, rows
from controlplane.store.decision_index import SqlDecisionIndex
from controlplane.store.engine import WRITES
from controlplane.store.index_geometry import Geometry
from controlplane.store.log_reader import SqlLogReader
from controlplane.store.migrate import SchemaOutdated, check_schema, migrate
from controlplane.store.payload_vault import SqlPayloadVault
from controlplane.store.reindex import forget_index, reindex
from controlplane.store.store import SqlStore
from tests.records import NOON, make_record

T = "default"
SMALL = Geometry(chunk=8, block=4, group=16)
START = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
MODELS = ("parrot", "owl", "modèle ☃", "x" * 600)
REASONS = (("access-denied", "chat"), ("answer-blocked", "screen"), ("no-applicable-policy", ""))
SPANS = tuple(f"s1:{number:016x}" for number in range(3))


def records_of(draw: random.Random, count: int) -> list[dict[str, Any]]:
    """Return the members of `count` records: requests with one record, with two in either order, and repeated ones."""
    members: list[dict[str, Any]] = []
    for number in range(count):
        request = {"request_id": f"req_{number}", "subject": draw.choice(("user:alice", "user:bob", "service:ci"))}
        request |= {"model": draw.choice(MODELS), "trace_id": draw.choice((None, f"{draw.randrange(6):032x}"))}
        kinds = draw.choice(
            (["terminal"], ["admission", "terminal"], ["admission"], ["admission", "terminal", "admission"])
        )
        for kind in kinds:
            outcome = draw.choice(("allow", "allow", "deny", "error_deny"))
            at = START + timedelta(seconds=number + draw.randrange(40))
            remark = {"policy": "screen", "rule": "mail", "detector": "email", "kind": "EMAIL", "action": "replace"}
            remark |= {"path": "p", "length": 3, "span_hash": draw.choice(SPANS)}
            members.append(
                request
                | {"kind": kind, "outcome": outcome, "time": at.isoformat().replace("+00:00", "Z")}
                | {"reasons": () if outcome == "allow" else (draw.choice(REASONS),)}
                | {"latency_us": {"total": draw.randrange(1 << draw.randrange(1, 24)), "decide": 1, "upstream": 1}}
                | {"remarks": [remark] if draw.random() < 0.3 else [], "boot_id": draw.choice(("b0", "b1"))},
            )
    # Numbered as they were written, each source's process by itself; some never arrive, some late: gaps.
    given: Counter[str] = Counter()
    for one in members:
        given[one["boot_id"]] += 1
        one["seq"] = given[one["boot_id"]]
    # Near their place, not at it: a terminal record may come before its admission record, and far behind it.
    order = sorted(range(len(members)), key=lambda at: at + draw.random() * draw.choice((1, 1, 12)))
    return [members[at] for at in order if draw.random() < 0.96]


def questions(draw: random.Random) -> Iterator[tuple[DecisionFilter, bool]]:
    values: dict[Dimension, tuple[str, ...]] = {
        Dimension.OUTCOME: ("deny", "error_deny"),
        Dimension.MODEL: MODELS[:2],
        Dimension.REASON: ("access-denied",),
        Dimension.POLICY: ("chat", "screen"),
        Dimension.RULE: ("screen/mail",),
        Dimension.SPAN: SPANS[:1],
        Dimension.TRACE_ID: (f"{1:032x}", f"{2:032x}"),
        Dimension.SUBJECT_TYPE: ("service",),
        Dimension.KIND: ("admission",),
        Dimension.BOOT: ("b1",),
        Dimension.STATUS: ("200",),
        Dimension.DETECTOR: ("email", "nothing has this"),
        Dimension.VERDICT: ("forwarded",),
    }
    while True:
        chosen = {name: values[name] for name in draw.sample(sorted(values), draw.choice((0, 1, 1, 2, 3)))}
        since, until = sorted(START + timedelta(seconds=draw.randrange(100)) for _ in range(2))
        least, most = sorted(draw.randrange(1 << 20) for _ in range(2))
        yield (
            DecisionFilter(
                values=chosen,
                since=draw.choice((None, None, since)),
                until=draw.choice((None, None, until)),
                min_latency_us=draw.choice((None, None, None, least)),
                max_latency_us=draw.choice((None, None, None, most)),
                has_gap=draw.choice((None, None, None, True, False)),
                request_ids=draw.choice(((), (), (), (), ("req_1", "req_2", "req_9"))),
                record_ids=draw.choice(((), (), (), (), ("rec_b0_3", "rec_b1_4", "rec_b0_5"))),
            ),
            draw.random() < 0.5,
        )


def plainly(envelopes: list[dict[str, Any]], wanted: DecisionFilter, *, as_of: int, descending: bool) -> list[int]:
    """Filter without any index, by what the members say; deliberately nothing of the code under test."""
    requests: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for index, envelope in enumerate(envelopes[:as_of]):
        if "request_id" not in envelope:
            continue
        requests.setdefault(envelope["request_id"], []).append((index, envelope))
    missing: Counter[str] = Counter()
    for gap in (envelope["gap"] for envelope in envelopes[:as_of] if envelope["kind"] == "gap"):
        missing[gap["boot_id"]] += gap["count"] if gap["state"] == "open" else -gap["count"]
    found = [kept[0][0] for request_id, kept in requests.items() if is_wanted(request_id, kept, wanted, missing)]
    return sorted(found, reverse=descending)


def is_wanted(
    request_id: str, kept: list[tuple[int, dict[str, Any]]], wanted: DecisionFilter, missing: Counter[str]
) -> bool:
    ended = [envelope for _, envelope in kept if envelope["kind"] == "terminal"]
    shown = ended[0] if ended else kept[0][1]
    at, latency = datetime.fromisoformat(shown["time"]), shown["latency_us"]["total"]
    record_ids = {envelope["record_id"] for _, envelope in kept}
    return (
        all(not set(values).isdisjoint(said(shown)[name]) for name, values in wanted.values.items())
        and (wanted.since is None or at >= wanted.since)
        and (wanted.until is None or at < wanted.until)
        and (wanted.min_latency_us is None or latency >= wanted.min_latency_us)
        and (wanted.max_latency_us is None or latency <= wanted.max_latency_us)
        and (wanted.has_gap is None or wanted.has_gap == (not ended or missing[shown["source"]["boot_id"]] > 0))
        and (not wanted.request_ids or request_id in wanted.request_ids)
        and (not wanted.record_ids or not record_ids.isdisjoint(wanted.record_ids))
    )


def said(envelope: Mapping[str, Any]) -> dict[str, set[str | None]]:
    reasons, remarks = envelope["reasons"], envelope["remarks"]
    return {
        "outcome": {envelope["outcome"]},
        "model": {envelope["resource"]["id"][:512]},
        "reason": {reason["code"] for reason in reasons},
        "policy": {"chat-access", *(item["policy"] for item in (*reasons, *remarks))},
        "rule": {f"{remark['policy']}/{remark['rule']}" for remark in remarks},
        "span": {remark["span_hash"] for remark in remarks},
        "trace_id": {envelope["trace_id"]},
        "subject_type": {envelope["subject"]["type"]},
        "kind": {envelope["kind"]},
        "boot": {envelope["source"]["boot_id"]},
        "status": {str(envelope["http"]["status"])},
        "detector": {remark["detector"] for remark in remarks},
        "verdict": {envelope["verdict"]},
    }


def fill(store: SqlStore, draw: random.Random, records: list[ReceivedRecord]) -> None:
    at = 0
    while at < len(records):
        batch = records[at : at + draw.choice((1, 3, 20))]
        with store.write() as session:
            session.decisions.append(T, batch, [], at=NOON)
        at += len(batch)


def received(members: Mapping[str, Any]) -> ReceivedRecord:
    return read_line(make_record(**members).to_line(), tenant=T)


def reindexed(engine: Engine, geometry: Geometry, *, slice_length: int) -> None:
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        forget_index(connection, T)
    reindex(engine, geometry=geometry, slice_length=slice_length)


@pytest.mark.parametrize("seed", range(4))
def test_every_question_is_answered_as_a_plain_filter_answers_it(engine, store, seed):
    draw = random.Random(seed)
    records = [received(members) for members in records_of(draw, 40)]
    fill(store, draw, records)
    with store.read() as session:
        envelopes = [orjson.loads(entry.envelope) for entry in session.log.entries(T, 0, session.log.size(T) - 1)]
    assert len([envelope for envelope in envelopes if "request_id" in envelope]) == len(records)
    asked = questions(draw)
    for geometry, slice_length in ((None, 0), (SMALL, 1), (SMALL, 7), (SMALL, 1000)):
        if geometry is not None:
            reindexed(engine, geometry, slice_length=slice_length)
        for _ in range(40):
            wanted, descending = next(asked)
            as_of = draw.choice((len(envelopes), draw.randrange(len(envelopes) + 1)))
            want = plainly(envelopes, wanted, as_of=as_of, descending=descending)
            got = every(engine, wanted, draw, as_of=as_of, descending=descending, geometry=geometry or Geometry())
            assert got == want, (wanted, as_of, descending, geometry)


def test_described_decisions_are_those_found_by_the_record_that_says_most(store):
    draw = random.Random(7)
    fill(store, draw, [received(members) for members in records_of(draw, 40)])
    with store.read() as session:
        index, size = session.decision_index, session.log.size(T)
        found = index.find(T, DecisionFilter(), after=None, as_of=size, descending=False, limit=500).items
        first = index.described(T, DecisionFilter(), after=None, as_of=size, limit=3)
        rest = index.described(T, DecisionFilter(), after=first.at, as_of=size, limit=500)
    shown = [item.terminal or item.admission for item in found]
    want = [
        (item.request_id, record.log_index, orjson.loads(record.envelope), record.payload_state, record.payload)
        for item, record in zip(found, shown, strict=True)
    ]
    got = [(each.request_id, each.log_index, each.members, *vars_of(each.payload)) for each in first.items + rest.items]
    assert len(first.items) == 3
    assert rest.at is None
    assert got == want


def vars_of(payload):
    return payload.state, payload.content


def every(
    engine: Engine,
    wanted: DecisionFilter,
    draw: random.Random,
    *,
    as_of: int,
    descending: bool,
    geometry: Geometry,
) -> list[int]:
    """Read all pages, of a random length, each allowed little or much work."""
    found: list[int] = []
    after, limit, work = None, draw.choice((1, 3, 500)), draw.choice((1, 12_000))
    with engine.connect() as connection:
        vault = SqlPayloadVault(connection, KeyRing([b"k" * 32]))
        index = SqlDecisionIndex(connection, SqlLogReader(connection, vault), geometry=geometry)
        for _ in range(10_000):
            page = index.find(T, wanted, after=after, as_of=as_of, descending=descending, limit=limit, work=work)
            assert len(page.items) <= limit
            found += [item.log_index for item in page.items]
            if page.at is None:
                return found
            assert after is None or (page.at < after if descending else page.at > after), "no progress"
            after = page.at
    raise AssertionError("the pages have no end")


def test_bitmaps_grown_by_single_records_are_written_as_one_segment(engine, store):
    for seq in range(1, 20):
        with store.write() as session:
            session.decisions.append(T, [received({"seq": seq})], [], at=NOON)
    reindexed(engine, SMALL, slice_length=1)
    with engine.connect() as connection:
        lengths = [len(row.bits) for row in rows(connection, "SELECT bits FROM decision_postings")]
    assert max(lengths) <= SMALL.chunk // 8 + 4 + 2


def test_an_entry_of_any_kind_is_found_by_its_record_id_and_of_its_tenant_only(store):
    record = received({"seq": 1})
    with store.write() as session:
        session.decisions.append(T, [record], [], at=NOON)
    with store.read() as session:
        assert session.decision_index.index_of(T, record.record_id, as_of=1) == 0
        assert session.decision_index.index_of(T, record.record_id, as_of=0) is None
        assert session.decision_index.index_of("another", record.record_id, as_of=1) is None
        assert session.decision_index.by_record(T, record.record_id, as_of=1).request_id == record.request_id


def test_a_database_whose_index_is_behind_is_refused_until_it_is_made_again(engine, store):
    with store.write() as session:
        session.decisions.append(T, [received({"seq": 1})], [], at=NOON)
    check_schema(engine)
    with engine.begin() as connection:
        change(connection, "UPDATE decision_index_heads SET make = 0")
    with pytest.raises(SchemaOutdated, match="index of the decision log"):
        check_schema(engine)
    migrate(engine)
    check_schema(engine)
    with store.read() as session:
        found = session.decision_index.find(T, DecisionFilter(), after=None, as_of=1, descending=False, limit=9)
    assert len(found.items) == 1


def test_members_of_another_form_stop_no_append(store):
    odd = received({"seq": 1, "http": None, "obligations": "x", "latency_us": 5, "trace_id": {"a": 1}, "action": 7})
    with store.write() as session:
        session.decisions.append(T, [odd, replace(odd, seq=2)], [], at=NOON)
    wanted = DecisionFilter(values={Dimension.ACTION: ("7",)})
    with store.read() as session:
        found = session.decision_index.find(T, wanted, after=None, as_of=2, descending=True, limit=9)
    assert [item.log_index for item in found.items] == [0]
