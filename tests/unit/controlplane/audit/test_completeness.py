# SPDX-License-Identifier: Apache-2.0
"""What entries say together: numbers, ends of requests, losses, drops. And that no entry can stop the judge."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.audit import completeness as module
from controlplane.audit.completeness import Completeness
from controlplane.audit.source_boots import BootVerdict
from tests.unit.controlplane.audit.archives import ORDERLY, dropped, envelope, gap, request, start


def judge(entries, *, whole=True, to_last=True):
    """Judge envelopes in their order; None is one that was dropped."""
    judging = Completeness(from_first=whole, to_last=to_last)
    for index, entry in enumerate(entries):
        if entry is None:
            judging.drop(index)
        else:
            judging.add(json.loads(entry))
    return judging.report()


def only(report):
    (boot,) = report.boots
    return boot


def stop(seq, **of):
    return envelope("stop", seq=seq, written=seq - 2, lost=0, **of)


def beat(seq, **of):
    return envelope("heartbeat", seq=seq, written=0, lost=0, **of)


def loss(seq, count, numbers=None, **of):
    return envelope("loss", seq=seq, count=count, numbers=numbers, **of)


def admission(seq, request_id, **of):
    return request(seq, "admission", request_id, **of)


@pytest.mark.parametrize(
    ("entries", "verdict", "lost", "missing"),
    [
        pytest.param(ORDERLY, "complete", 0, 0, id="orderly"),
        pytest.param([request(1), request(2)], "complete", 0, 0, id="a-source-of-an-earlier-release"),
        pytest.param([start(), request(2), request(4)], "unexplained", 0, 1, id="a-number-is-missing"),
        pytest.param([start(), gap(2, 2), request(3)], "lost", 1, 0, id="a-gap-says-so"),
        pytest.param([start(), request(4), gap(2, 3)], "lost", 2, 0, id="a-gap-says-so-afterwards"),
        pytest.param([start(), request(5), gap(2, 3)], "unexplained", 2, 1, id="a-gap-says-half"),
        pytest.param([start(), gap(2, 9, boot="b2"), request(3)], None, 0, 0, id="a-gap-of-another-boot"),
        pytest.param([start(), gap(2, 2), request(3), request(2), gap(2, 2, state="closed")], "complete", 0, 0, id="gap-closed"),
        pytest.param([start(), gap(2, 7)], "lost", 6, 0, id="a-gap-at-the-end"),
        pytest.param([gap(1, 7)], "lost", 7, 0, id="nothing-but-a-gap"),
        pytest.param([start(), loss(2, 5)], "lost", 5, 0, id="a-loss"),
        pytest.param([start(), loss(4, 5, [[2, 3]])], "lost", 5, 0, id="a-loss-with-numbers"),
        pytest.param([start(), loss(5, 5, [[2, 3]])], "unexplained", 5, 1, id="a-loss-with-too-few-numbers"),
        pytest.param([start(), admission(2, "r"), request(3, request_id="r"), stop(4)], "complete", 0, 0, id="ended"),
        pytest.param([start(), admission(2, "r"), stop(3)], "unfinished", 0, 0, id="no-end"),
        pytest.param([start(), admission(2, "r"), request(3, request_id="s"), stop(4)], "unfinished", 0, 0, id="other-end"),
        pytest.param([start(), admission(2, "r")], "complete", 0, 0, id="in-flight"),
        pytest.param([beat(1), stop(2)], "unexplained", 0, 0, id="no-start"),
        pytest.param([request(1), start(2), stop(3)], "unexplained", 0, 0, id="a-late-start"),
        pytest.param([start(), start(2)], "unexplained", 0, 0, id="two-starts"),
        pytest.param([start(), beat(2, after_s=60), beat(3, after_s=300), stop(4, after_s=310)], "silent", 0, 0, id="a-hole"),
        pytest.param([start(), stop(2), stop(2)], "unexplained", 0, 0, id="a-number-twice"),
    ],
)  # fmt: skip
def test_a_boot_is_judged_by_its_entries(entries, verdict, lost, missing):
    boots = {boot.boot: boot for boot in judge(entries).boots}
    if verdict is None:
        assert {name: boot.verdict for name, boot in boots.items()} == {"b1": "unexplained", "b2": "lost"}
        return
    assert (boots["b1"].verdict, boots["b1"].lost, boots["b1"].missing) == (verdict, lost, missing)
    assert judge(entries).holds == (verdict in {"complete", "lost"})


def test_another_worker_may_end_a_request():
    entries = [
        start(),
        admission(2, "r"),
        start(boot="b2", previous={"boot_id": "b1", "seq": 2}, after_s=1),
        request(2, request_id="r", boot="b2", after_s=2),
        beat(3, boot="b2", after_s=60),
        beat(4, boot="b2", after_s=120),
        beat(5, boot="b2", after_s=240),
    ]
    assert [boot.verdict for boot in judge(entries).boots] == ["complete", "complete"]
    without = judge([*entries[:3], request(2, boot="b2", after_s=2), *entries[4:]])
    assert [boot.verdict for boot in without.boots] == ["unfinished", "complete"]


def test_the_successor_says_how_far_the_one_before_wrote():
    entries = [start(), request(2), start(boot="b2", previous={"boot_id": "b1", "seq": 5})]
    assert [(boot.verdict, boot.missing) for boot in judge(entries).boots] == [("unexplained", 3), ("complete", 0)]
    never_seen = [start(boot="b2", previous={"boot_id": "b1", "seq": 5})]
    assert [(boot.boot, boot.missing) for boot in judge(never_seen).boots] == [("b1", 5), ("b2", 0)]
    assert [boot.boot for boot in judge(never_seen, whole=False).boots] == ["b2"]


def test_a_range_in_the_middle_is_judged_from_where_it_begins():
    assert only(judge([request(17), beat(18), request(19), stop(20)], whole=False)).verdict is BootVerdict.COMPLETE
    assert only(judge([request(17), beat(18), request(20)], whole=False)).missing == 1


def test_a_drop_must_be_recorded():
    entries = [None, None, request(3), request(4)]
    assert (judge(entries).dropped, judge(entries).unrecorded_drops, judge(entries).holds) == (2, 2, False)
    payloads = dropped(0, 2, class_="payloads")
    for recorded, unrecorded in [(dropped(0, 2), 0), (dropped(0, 1), 1), (dropped(1, 9), 1), (payloads, 2)]:
        report = judge([*entries, recorded])
        assert (report.unrecorded_drops, report.holds, only(report).verdict) == (unrecorded, not unrecorded, "complete")


def test_no_more_numbers_are_dropped_than_entries():
    entries = [start(), start(boot="b2"), None, request(3), request(3, boot="b2"), dropped(2, 3)]
    report = judge(entries)
    assert (report.beyond_drops, report.holds) == (1, False)
    assert judge([*entries[:4], request(2, boot="b2"), entries[5]]).holds


def test_a_drop_may_be_recorded_behind_the_range():
    report = judge([None, None, request(3)], to_last=False)
    assert (report.holds, report.unrecorded_drops, "behind the range" in report.unjudged) == (True, 0, True)
    assert judge([None, None, request(3), dropped(0, 2)], to_last=False).unjudged == ""


def test_what_was_dropped_is_not_held_against_a_source():
    entries = [start(), admission(2, "r"), None, None, request(5), stop(6), dropped(2, 4)]
    told = only(judge(entries))
    assert (told.verdict, told.dropped) == (BootVerdict.COMPLETE, 2)
    assert only(judge([start(), None, request(4), stop(5), dropped(1, 2)])).missing == 2


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        "text",
        {},
        {"kind": "terminal"},
        {"kind": 7, "time": "2026-11-20T18:00:00Z", "source": None},
        {"kind": "terminal", "time": "yesterday", "source": None},
        {"kind": "terminal", "time": "0001-01-01T00:00:00", "source": []},
        {"kind": "gap", "time": "2026-11-20T18:00:00Z", "gap": []},
        {"kind": "gap", "time": "2026-11-20T18:00:00Z", "gap": {"source_id": "s", "boot_id": "b", "state": "open"}},
        {"kind": "admin", "time": "2026-11-20T18:00:00Z", "action": "retention_drop_announced", "detail": {"class": "records", "first_index": 0}},
        *(
            {"kind": "start", "time": "2026-11-20T18:00:00Z", "source": source, "previous": previous}
            for source, previous in [
                ({"id": "s", "boot_id": "b", "seq": 0}, None),
                ({"id": "s", "boot_id": "b", "seq": True}, None),
                ({"id": "s", "boot_id": "b", "seq": 1.5}, None),
                ({"id": "s", "boot_id": "b", "seq": 10**30}, None),
                ({"id": "s", "boot_id": None, "seq": 1}, None),
                ({"id": "s" * 129, "boot_id": "b", "seq": 1}, None),
                ({"id": "s", "boot_id": "b", "seq": 1}, "b0"),
                ({"id": "s", "boot_id": "b", "seq": 1}, {"boot_id": "b0", "seq": -1}),
            ]
        ),
        {"kind": "loss", "time": "2026-11-20T18:00:00Z", "source": {"id": "s", "boot_id": "b", "seq": 1}, "count": -1},
        {"kind": "loss", "time": "2026-11-20T18:00:00Z", "source": {"id": "s", "boot_id": "b", "seq": 1}, "count": 1, "numbers": [7]},
        {"kind": "admission", "time": "2026-11-20T18:00:00Z", "source": {"id": "s", "boot_id": "b", "seq": 1}, "request_id": []},
    ],
)  # fmt: skip
def test_an_entry_that_is_not_what_it_says_is_counted(entry):
    judging = Completeness(from_first=True, to_last=True)
    judging.add(entry)
    report = judging.report()
    assert (report.unreadable, report.holds) == (1, False)


@pytest.mark.parametrize(
    ("bound", "entries", "why"),
    [
        ("MAX_BOOTS", [start(boot=f"b{n}") for n in range(9)], "boots"),
        ("MAX_OPEN_REQUESTS", [start(), *(admission(n, f"r{n}") for n in range(2, 11))], "open at once"),
        ("MAX_RUNS", [start(), *(request(n) for n in range(3, 30, 2))], "runs of missing"),
        ("MAX_RUNS", [start(), loss(2, 9, [[n, n] for n in range(9, 90, 3)])], "runs of missing"),
        ("MAX_RUNS", [gap(n, n) for n in range(1, 90, 2)], "runs of missing"),
        ("MAX_RUNS", [dropped(n, n + 1) for n in range(1, 90, 2)], "runs of missing"),
        ("MAX_RUNS", [start(), *(None if n % 2 else beat(n) for n in range(2, 40))], "were dropped"),
    ],
)
def test_there_is_no_verdict_where_memory_ends(monkeypatch, bound, entries, why):
    assert judge(entries).unjudged == ""
    monkeypatch.setattr(module, bound, 8)
    assert why in judge(entries).unjudged


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 2**70)
    | st.text(max_size=3)
    | st.sampled_from(["start", "gap", "b1", "open"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "boot_id", "seq", "previous", "numbers", "count", "state", "first_seq", "last_seq", "detail"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)


@given(
    st.lists(
        st.none()
        | st.fixed_dictionaries(
            {
                "kind": st.sampled_from(
                    ["start", "stop", "heartbeat", "loss", "gap", "admin", "admission", "terminal"]
                ),
                "time": st.sampled_from(["2026-11-20T18:00:00Z", "2026-11-20T19:00:00Z", "9999-12-31T23:59:59Z", "x"]),
            },
            optional={
                "source": st.fixed_dictionaries(
                    {"id": st.just("s"), "boot_id": st.sampled_from(["b1", "b2"]), "seq": st.integers(0, 6) | values}
                )
                | values,
                "request_id": st.sampled_from(["r1", "r2"]) | values,
                "previous": values,
                "count": values,
                "numbers": st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9))) | values,
                "gap": values,
                "action": st.just("retention_drop_announced"),
                "detail": values,
            },
        ),
        max_size=12,
    ),
    st.booleans(),
)
def test_whatever_entries_say_there_is_a_report(entries, whole):
    judging = Completeness(from_first=whole, to_last=whole)
    for index, entry in enumerate(entries):
        if entry is None:
            judging.drop(index)
        else:
            judging.add(entry)
    report = judging.report()
    assert report.dropped == entries.count(None)
    assert all(boot.missing >= 0 and boot.lost >= 0 for boot in report.boots)
