# SPDX-License-Identifier: Apache-2.0
"""Counts in bounded memory, and what is left out counted beside them."""

from controlplane.replays import tally
from controlplane.replays.comparison import Cause, Change, Judged
from controlplane.replays.tally import Counts, Seen, Tally
from policies.contracts.decision import Effect

SEEN = Seen(request_id="req_1", log_index=4, time="t", pseudonym="p1:ab", action="chat.completions", model="parrot")
WAS = Judged(effect=Effect.ALLOW)
NOW = Judged(effect=Effect.DENY, reasons=(("too-many", "caps", ""),))


def test_the_most_frequent_are_shown_and_the_others_counted(monkeypatch):
    monkeypatch.setattr(tally, "_SHOWN", 2)
    counts = Counts()
    for value in ("b", "a", "b", "c", "a", "b", None):
        counts.add(value)
    assert counts.to_json("model") == {
        "distinct": 4,
        "distinct_is_exact": True,
        "top": [{"model": "b", "count": 3}, {"model": "a", "count": 2}],
        "omitted": 2,
    }


def test_more_values_than_are_kept_are_counted_together(monkeypatch):
    monkeypatch.setattr(tally, "KEPT", 2)
    counts = Counts()
    for value in ("a", "b", "c", "d", "a"):
        counts.add(value)
    shown = counts.to_json("subject")
    assert (shown["distinct"], shown["distinct_is_exact"], shown["omitted"]) == (2, False, 2)
    assert shown["top"] == [{"subject": "a", "count": 2}, {"subject": "b", "count": 1}]


def test_a_change_is_counted_by_each_of_its_reasons_once_and_told_by_its_first_requests():
    counted = Tally(most_examples=1)
    for _ in range(3):
        counted.changes[Change.NEWLY_REFUSED].add(SEEN, WAS, NOW, deciding=[("x", "caps"), ("y", "caps")])
    shown = counted.changes[Change.NEWLY_REFUSED].to_json()
    assert shown["count"] == 3
    assert [(each["reason"], each["count"]) for each in shown["by_reason"]["top"]] == [("x", 3), ("y", 3)]
    assert [(each["policy"], each["count"]) for each in shown["by_policy"]["top"]] == [("caps", 3)]
    (example,) = shown["examples"]
    assert example["request_id"] == "req_1"
    assert example["was"] == {"effect": "allow", "reasons": []}
    assert example["now"]["reasons"] == [{"code": "too-many", "policy": "caps", "rule": None}]


def test_what_is_left_out_is_counted_by_cause_and_reason():
    counted = Tally(most_examples=1)
    counted.leave_out(Cause.RATE_NOT_COUNTED, "req_1", ["rate-limited", "rate-limited"])
    counted.leave_out(Cause.RATE_NOT_COUNTED, "req_2")
    left = counted.left_out[Cause.RATE_NOT_COUNTED].to_json()
    assert (left["count"], left["examples"]) == (2, ["req_1"])
    assert left["by_reason"]["top"] == [{"reason": "rate-limited", "count": 1}]


def test_of_a_record_without_a_model_or_subject_nothing_is_told():
    seen = Seen.of("req_1", 4, {"subject": None, "resource": {"type": "route", "id": "models.list"}, "action": 5})
    assert (seen.pseudonym, seen.model, seen.action, seen.time) == (None, None, None, None)
