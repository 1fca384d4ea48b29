# SPDX-License-Identifier: Apache-2.0
"""Roll-ups say what counting all terminal records one by one says, on every database, however they arrived."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from controlplane.services.aggregates import Aggregates, Bucket, Question
from controlplane.services.dimensions import Dimension
from controlplane.services.errors import Invalid
from controlplane.services.latencies import ERROR
from controlplane.services.model import Principal, Role
from controlplane.services.record_lines import read_line
from controlplane.services.rollups import MOST_VALUES
from tests.records import NOON, make_record

T = "default"
START = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
AUDITOR = Principal(tenant=T, id="auditor", name="auditor", role=Role.AUDITOR, created_at=NOON)


def fill(store, records, *, sizes=(1, 4, 30)):
    draw, at = random.Random(1), 0
    while at < len(records):
        batch = records[at : at + draw.choice(sizes)]
        with store.write() as session:
            session.decisions.append(T, batch, [], at=NOON)
        at += len(batch)


def record(seq, **members):
    return read_line(make_record(seq=seq, **members).to_line(), tenant=T)


def ask(store, by=None, bucket=Bucket.NONE, *, values=(), since=None, until=None, limit=10):
    question = Question(by=by, values=values, bucket=bucket, since=since, until=until, limit=limit)
    return Aggregates(store=store).ask(AUDITOR, question)


@pytest.fixture
def filled(store):
    """The store, and the terminal records that it counts."""
    draw, records, counted = random.Random(7), [], []
    for seq in range(1, 151):
        at = START + timedelta(seconds=draw.randrange(3 * 3600))
        members = {
            "time": at.isoformat().replace("+00:00", "Z"),
            "model": draw.choice(("parrot", "parrot", "owl")),
            "subject": f"user:u{draw.randrange(20)}",
            "outcome": draw.choice(("allow", "deny", "error_deny")),
            "reasons": tuple(draw.sample((("a-reason", "p"), ("b-reason", "p"), ("c-reason", "q")), draw.randrange(3))),
            "latency_us": {"total": draw.randrange(5_000_000), "decide": 1, "upstream": 1},
            "kind": draw.choice(("terminal", "terminal", "admission")),
            "request_id": f"req_{draw.randrange(120)}",
        }
        one = record(seq, **members)
        known = {envelope["request_id"] for envelope in counted}
        if one.kind == "terminal" and one.request_id not in known:
            counted.append(orjson.loads(one.envelope))
        records.append(one)
    fill(store, records)
    return store, counted


@pytest.mark.parametrize("bucket", [Bucket.MINUTE, Bucket.HOUR, Bucket.DAY, Bucket.NONE])
def test_requests_by_model_and_time(filled, bucket):
    store, counted = filled
    length = {Bucket.MINUTE: 60, Bucket.HOUR: 3600, Bucket.DAY: 86400}.get(bucket)

    def start(text):
        second = int(datetime.fromisoformat(text).timestamp())
        return None if length is None else datetime.fromtimestamp(second // length * length, UTC)

    want = Counter((start(one["time"]), one["resource"]["id"]) for one in counted)
    got = ask(store, Dimension.MODEL, bucket)
    assert {(row.at, row.value): row.tally.requests for row in got.rows if not row.is_other} == want
    assert got.total.requests == len(counted)
    denied = Counter(start(one["time"]) for one in counted if one["outcome"] == "deny")
    totals = ask(store, None, bucket)
    assert {row.at: row.tally.denied for row in totals.rows if row.tally.denied} == denied
    assert totals.total.failed == sum(one["outcome"] == "error_deny" for one in counted)


def test_a_request_counts_under_each_of_its_values_and_the_rest_is_other(filled):
    store, counted = filled
    want = Counter(code for one in counted for code in {reason["code"] for reason in one["reasons"]})
    got = ask(store, Dimension.REASON, limit=1)
    first, other = got.rows
    assert (first.value, first.tally.requests) == max(want.items(), key=lambda item: item[1])
    assert (other.is_other, other.tally.requests) == (True, want.total() - first.tally.requests)
    (named,) = ask(store, Dimension.REASON, values=("c-reason", "nothing")).rows
    assert (named.value, named.tally.requests) == ("c-reason", want["c-reason"])


def test_only_times_asked_for_are_counted(filled):
    store, counted = filled
    since, until = START + timedelta(hours=1), START + timedelta(hours=2)
    want = sum(since <= datetime.fromisoformat(one["time"]) < until for one in counted)
    assert ask(store, since=since, until=until).total.requests == want
    widened = ask(store, since=since + timedelta(minutes=5), until=until - timedelta(minutes=5))
    assert (widened.since, widened.until, widened.total.requests) == (since, until, want)


def test_quantiles_are_within_the_stated_error(filled):
    store, counted = filled
    latencies = sorted(one["latency_us"]["total"] for one in counted)
    total = ask(store).total
    for share in (0.5, 0.9, 0.99):
        want = latencies[max(0, -int(-share * len(latencies) // 1) - 1)]
        assert abs(total.quantiles_us(share)[0] - want) <= ERROR * want + 1


def test_names_that_a_client_invents_make_no_table_grow(store):
    records = [record(seq, model=f"m{seq}") for seq in range(1, MOST_VALUES + 21)]
    fill(store, records, sizes=(50,))
    got = ask(store, Dimension.MODEL, limit=1000)
    assert len([row for row in got.rows if not row.is_other]) == MOST_VALUES
    assert sum(row.tally.requests for row in got.rows) == len(records)


def test_what_is_not_kept_or_too_much_is_refused_by_name(filled):
    store, _ = filled
    for asked, pointer in (
        ({"by": Dimension.TRACE_ID}, "/by"),
        ({"by": Dimension.SUBJECT, "bucket": Bucket.MINUTE}, "/by"),
        ({"bucket": Bucket.HOUR, "since": START - timedelta(days=100)}, "/bucket"),
    ):
        with pytest.raises(Invalid) as refused:
            ask(store, **asked)
        assert [problem.pointer for problem in refused.value.problems] == [pointer]


def test_nothing_counted_has_no_times(store):
    got = ask(store)
    assert (got.since, got.until, got.rows, got.total.requests) == (None, None, (), 0)
