# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass, field

import pytest

from policies.contracts.members import ADDED, members, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    size: int = field(default=1, metadata=ADDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    name: str
    sizes: tuple[int, ...] = field(default=(), metadata=ADDED)
    inner: Inner = field(default=Inner(), metadata=ADDED)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(Outer(name="a"), {"name": "a"}, id="defaults"),
        pytest.param(Outer(name="a", sizes=(2,)), {"name": "a", "sizes": (2,)}, id="list"),
        pytest.param(Outer(name="a", inner=Inner(size=2)), {"name": "a", "inner": {"size": 2}}, id="nested"),
    ],
)
def test_what_was_added_is_written_where_it_is_not_the_default(value, written):
    assert plain(value) == written


def test_what_was_not_added_is_always_written():
    @dataclass(frozen=True, slots=True, kw_only=True)
    class First:
        name: str = ""

    assert plain(First()) == {"name": ""}


def test_lists_are_read_as_tuples():
    assert members(Outer, {"name": "a", "sizes": [1, 2]}) == {"name": "a", "sizes": (1, 2)}


@pytest.mark.parametrize("raw", [{}, {"name": "a", "marzipan": 1}], ids=["missing", "unknown"])
def test_other_members_are_refused(raw):
    with pytest.raises(ValueError, match="Outer has members"):
        members(Outer, raw)
