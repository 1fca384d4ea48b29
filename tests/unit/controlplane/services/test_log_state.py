# SPDX-License-Identifier: Apache-2.0
"""Whether a log is what was signed: each way in which it can be something else."""

from dataclasses import replace
from datetime import date

import pytest

from controlplane.audit.checkpoints import Checkpoint, sign_checkpoint
from controlplane.audit.frontier import Frontier
from controlplane.audit.hashes import EMPTY_ROOT
from controlplane.audit.tiles import append
from controlplane.services.checkpoints import SignedCheckpoint
from controlplane.services.log_key import LogKey, new_log_key
from controlplane.services.log_state import LogAltered, check_head, check_leaves, check_tail
from controlplane.services.records import Head, LogDay, LogEntry
from tests.records import NOON
from tests.unit.controlplane.audit.naive_tree import KeptTiles, leaf, leaves, root

KEY = LogKey.parse(new_log_key())
SIGNER = KEY.signer("default")
SIZES = (0, 1, 3, 255, 256, 257, 600)


def tiles_of(count: int) -> KeptTiles:
    tiles = KeptTiles()
    for update in append(Frontier(), leaves(count)).updates:
        tiles.put(update)
    return tiles


def head_of(count: int) -> Head:
    return Head(size=count, root=root(leaves(count)), day=None)


def signed(size: int, root_: bytes | None = None) -> SignedCheckpoint:
    found = root(leaves(size)) if root_ is None else root_
    note = sign_checkpoint(Checkpoint(SIGNER.name, size, found), SIGNER, at_s=1).to_bytes().decode()
    return SignedCheckpoint(
        tenant="default", size=size, root=found, note=note, cosignatures="", first_signed_at=NOON, signed_at=NOON
    )


def flip(tiles: KeptTiles, level: int, number: int, at: int) -> None:
    held = bytearray(tiles.hashes[level, number])
    held[at] ^= 1
    tiles.hashes[level, number] = bytes(held)


@pytest.mark.parametrize("size", SIZES)
def test_a_log_that_only_grew_passes(size):
    for before in (None, *(each for each in SIZES if each <= size)):
        last = None if before is None else signed(before)
        check_head(tiles_of(size), head_of(size), last, SIGNER.verifier)
        check_leaves(tiles_of(size), head_of(size), last)


@pytest.mark.parametrize(
    ("last", "head", "problem"),
    [
        pytest.param(signed(5), head_of(4), "were signed, the log has 4", id="fewer-entries-than-signed"),
        pytest.param(signed(3, b"x" * 32), head_of(4), "another root than the one signed", id="another-root-signed"),
        pytest.param(signed(3), replace(head_of(4), root=b"x" * 32), "than the log's head", id="another-root-kept"),
        pytest.param(replace(signed(3), size=2), head_of(4), "another size or root", id="another-size-beside-the-note"),
        pytest.param(replace(signed(3), note="x"), head_of(4), "not signed by the log's key", id="no-note"),
    ],
)
def test_head_tiles_and_checkpoint_must_agree(last, head, problem):
    with pytest.raises(LogAltered, match=problem):
        check_head(tiles_of(4), head, last, SIGNER.verifier)


def test_another_keys_checkpoint_is_not_the_logs():
    other = LogKey.parse(new_log_key(), name=KEY.name).signer("default")
    with pytest.raises(LogAltered, match="not signed"):
        check_head(tiles_of(4), head_of(4), signed(3), other.verifier)


@pytest.mark.parametrize("place", [(0, 0, 0), (0, 1, 8191), (0, 2, 40)], ids=["first", "in-a-full-tile", "in-the-last"])
def test_a_flipped_bit_of_any_leaf_hash_is_found(place):
    tiles = tiles_of(600)
    flip(tiles, *place)
    with pytest.raises(LogAltered, match="leaf hashes"):
        check_leaves(tiles, head_of(600), signed(600))


def test_a_tile_that_is_missing_is_found():
    tiles = tiles_of(600)
    del tiles.hashes[0, 1]
    with pytest.raises(LogAltered, match="tile 1 of level 0"):
        check_leaves(tiles, head_of(600), None)


def test_it_is_kept_awake_while_it_reads():
    called = []
    check_leaves(tiles_of(600), head_of(600), signed(256), awake=lambda: called.append(1))
    assert len(called) == 3


class FakeLog:
    """Entries `entry N` of two days; what is stored may be changed."""

    def __init__(self, count: int) -> None:
        self.envelopes: dict[int, bytes | None] = {n: f"entry {n}".encode() for n in range(count)}
        self.size = count

    def days(self, tenant):
        half = self.size // 2
        return (
            LogDay(day=date(2026, 11, 20), first_index=0, end_index=half),
            LogDay(day=date(2026, 11, 21), first_index=half, end_index=self.size),
        )

    def entries(self, tenant, first, last):
        for index in range(first, last + 1):
            yield LogEntry(
                log_index=index,
                kind=None,
                received_at=None,
                envelope=self.envelopes[index],
                payload=None,
                leaf_hash=leaf(f"entry {index}".encode()),
            )


def test_the_newest_entries_are_those_of_their_hashes():
    log = FakeLog(600)
    check_tail(log, "default", head_of(600))
    log.envelopes |= dict.fromkeys(range(300))  # dropped by retention: there is nothing to compare
    check_tail(log, "default", head_of(600))


@pytest.mark.parametrize("index", [0, 255, 256, 599])
def test_a_changed_or_missing_entry_is_found(index):
    log = FakeLog(600)
    log.envelopes[index] = b"another"
    with pytest.raises(LogAltered, match=f"entry {index} is not what it was"):
        check_tail(log, "default", head_of(600))
    log.envelopes[index] = None
    with pytest.raises(LogAltered, match=f"entry {index} is missing"):
        check_tail(log, "default", head_of(600))


def test_the_last_day_is_never_missing_as_a_whole():
    log = FakeLog(600)
    log.envelopes |= dict.fromkeys(range(300, 600))
    with pytest.raises(LogAltered, match="entry 300 is missing"):
        check_tail(log, "default", head_of(600))


def test_an_empty_log_passes():
    check_tail(FakeLog(0), "default", Head(size=0, root=EMPTY_ROOT, day=None))
    assert leaf(b"") != EMPTY_ROOT
