# SPDX-License-Identifier: Apache-2.0
"""One boot, judged by its numbers and its own records."""

import pytest

from controlplane.audit.source_boots import Boot, BootVerdict


def judged(*seqs, low=1, newest_at=0.0, drops=0, **members):
    boot = Boot("node-1/w0", "b1", low)
    for seq in seqs:
        boot.number(seq, drops=0)
    for name, value in members.items():
        setattr(boot, name, value)
    return boot.report(newest_at=newest_at, drops=drops)


@pytest.mark.parametrize(
    ("seqs", "low", "missing", "repeated"),
    [
        ((1, 2, 3), 1, 0, 0),
        ((2, 3), 1, 1, 0),
        ((1, 4), 1, 2, 0),
        ((1, 4, 2, 3), 1, 0, 0),
        ((1, 4, 3), 1, 1, 0),
        ((1, 1), 1, 0, 1),
        ((1, 3, 2, 2), 1, 0, 1),
        ((7, 8), None, 0, 0),
        ((7, 5), None, 1, 0),
        ((7, 5, 6), None, 0, 0),
        ((7, 9), None, 1, 0),
    ],
)
def test_numbers_are_dense_in_whatever_order(seqs, low, missing, repeated):
    told = judged(*seqs, low=low)
    assert (told.missing, told.repeated, told.entries) == (missing, repeated, len(seqs))
    assert told.verdict is (BootVerdict.UNEXPLAINED if missing or repeated else BootVerdict.COMPLETE)


def test_a_jump_that_dropped_entries_can_explain_is_none():
    boot = Boot("s", "b", 1)
    boot.number(1, drops=0)
    boot.number(4, drops=2)
    boot.number(6, drops=2)
    told = boot.report(newest_at=0, drops=2)
    assert (told.dropped, told.missing, told.why) == (2, 1, ("no entry explains why 5 are missing",))


def test_what_a_successor_found_in_the_spool_must_have_arrived():
    assert judged(1, 2, wrote=2).verdict is BootVerdict.COMPLETE
    assert judged(1, 2, wrote=1).verdict is BootVerdict.COMPLETE
    told = judged(1, 2, wrote=5)
    assert (told.verdict, told.missing) == (BootVerdict.UNEXPLAINED, 3)
    assert judged(wrote=5, low=None).missing == 0


@pytest.mark.parametrize(
    ("members", "verdict"),
    [
        ({"stopped": True}, BootVerdict.COMPLETE),
        ({"followed": True}, BootVerdict.COMPLETE),
        ({"newest_at": 180.0}, BootVerdict.COMPLETE),
        ({"newest_at": 181.0}, BootVerdict.SILENT),
        ({"newest_at": 181.0, "stopped": True}, BootVerdict.COMPLETE),
        ({"newest_at": 181.0, "followed": True}, BootVerdict.COMPLETE),
        ({"newest_at": 181.0, "drops": 1}, BootVerdict.COMPLETE),
        ({"stopped": True, "longest_silence_s": 181.0}, BootVerdict.SILENT),
        ({"stopped": True, "longest_silence_s": 180.0}, BootVerdict.COMPLETE),
        ({"stopped": True, "starts": 0}, BootVerdict.UNEXPLAINED),
        ({"stopped": True, "odd_start": True}, BootVerdict.UNEXPLAINED),
        ({"stopped": True, "unfinished": 1}, BootVerdict.UNFINISHED),
        ({"unfinished": 1}, BootVerdict.COMPLETE),
        ({"unfinished": 1, "followed": True}, BootVerdict.COMPLETE),
        ({"unfinished": 1, "followed": True, "newest_at": 181.0}, BootVerdict.UNFINISHED),
        ({"stopped": True, "declared": 4}, BootVerdict.LOST),
        ({"stopped": True, "declared": 4, "unfinished": 1}, BootVerdict.UNFINISHED),
    ],
)
def test_the_worst_that_is_known_is_the_verdict(members, verdict):
    told = judged(1, 2, **{"heard_at": 0.0, "starts": 1, **members})
    assert (told.verdict, bool(told.why)) == (verdict, verdict is not BootVerdict.COMPLETE)


def test_a_start_before_the_range_is_not_asked_for():
    assert judged(2, 3, low=None, heard_at=0.0, stopped=True).verdict is BootVerdict.COMPLETE
    assert judged(1, 2, low=None, heard_at=0.0, stopped=True).verdict is BootVerdict.UNEXPLAINED


def test_a_boot_that_says_nothing_of_itself_is_judged_by_its_numbers():
    assert judged(1, 2, newest_at=10_000.0).verdict is BootVerdict.COMPLETE


def test_the_longest_silence_is_measured_between_its_own_records():
    boot = Boot("s", "b", 1)
    for at_s in (0.0, 60.0, 30.0, 241.0):
        boot.hear(at_s)
    assert (boot.longest_silence_s, boot.heard_at) == (181.0, 241.0)
