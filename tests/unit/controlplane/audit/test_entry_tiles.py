# SPDX-License-Identifier: Apache-2.0
"""Tiles of entries."""

import pytest

from controlplane.audit.entry_tiles import entries_tile, parse_entries_tile


@pytest.mark.parametrize("entries", [(), (b"",), (b"a", b"", b"bc"), (b"x" * 65_535, b"y")])
def test_entries_come_back(entries):
    assert entries == parse_entries_tile(entries_tile(entries))


def test_each_entry_stands_after_its_length():
    assert entries_tile([b"ab", b""]) == b"\x00\x02ab\x00\x00"


@pytest.mark.parametrize("tile", [b"\x00", b"\x00\x01", b"\x00\x00\x00", b"\xff\xff" + bytes(65_534)])
def test_a_tile_that_ends_within_an_entry_is_refused(tile):
    with pytest.raises(ValueError, match="ends within"):
        parse_entries_tile(tile)


def test_an_entry_that_is_too_long_has_no_length():
    with pytest.raises(OverflowError):
        entries_tile([bytes(65_536)])
