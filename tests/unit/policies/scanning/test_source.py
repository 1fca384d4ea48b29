# SPDX-License-Identifier: Apache-2.0
"""Sources are named after all that they say, and say the same to another process."""

from dataclasses import replace

import hyperscan
import pytest

from policies.scanning.source import CannotScan, Source

SOURCE = Source(expressions=(b"ab", b"c\\xff"), numbers=(0, 7), flags=(0, hyperscan.HS_FLAG_DOTALL))


def ends(database: bytes, data: bytes) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    loaded = hyperscan.loadb(database, hyperscan.HS_MODE_BLOCK)
    loaded.scratch = hyperscan.Scratch(loaded)
    loaded.scan(data, match_event_handler=lambda number, _start, end, _flags, _context: found.append((number, end)))
    return found


def test_a_name_is_of_all_that_a_database_is_compiled_from(monkeypatch):
    others = [
        replace(SOURCE, expressions=(b"ab", b"c")),
        replace(SOURCE, expressions=(b"abc", b"\\xff")),
        replace(SOURCE, numbers=(7, 0)),
        replace(SOURCE, flags=(0, 0)),
        replace(SOURCE, literal=True),
    ]
    before = SOURCE.name
    assert len({before, *(other.name for other in others)}) == 1 + len(others)
    assert replace(SOURCE).name == before
    monkeypatch.setattr(hyperscan, "__version__", "another")
    assert SOURCE.name != before


def test_another_process_compiles_the_same():
    source = replace(SOURCE, expressions=(b"ab", bytes(range(1, 256))), literal=True)
    assert Source.from_json(source.to_json()) == source
    assert "\n" not in source.to_json()


def test_it_is_compiled():
    assert ends(SOURCE.compiled(), b"ab c\xff") == [(0, 2), (7, 5)]
    assert ends(replace(SOURCE, flags=(0, 0), literal=True).compiled(), b"ab c\xff") == [(0, 2)]


def test_of_nothing_there_is_no_database():
    assert Source(expressions=(), numbers=(), flags=()).compiled() == b""


def test_what_hyperscan_does_not_take_is_refused():
    with pytest.raises(CannotScan):
        replace(SOURCE, expressions=(b"ab", b"(")).compiled()
