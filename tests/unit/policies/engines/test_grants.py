# SPDX-License-Identifier: Apache-2.0
import random
import sqlite3
from pathlib import Path

import pytest

from policies.contracts.decision import Effect, Mode
from policies.contracts.snapshot import AccessPolicy, Grant
from policies.engines.grants import FoundRow, GrantsInFile, GrantsInMemory, rows_of, write_grants

_NAMES = ("user:a", "group:g", "*", 'user:"', "user:é")


def _policies(seed: int) -> tuple[AccessPolicy, ...]:
    pick = random.Random(seed)
    return tuple(
        AccessPolicy(
            id=f"p{number}",
            version="1",
            mode=Mode.ENFORCE,
            grants=tuple(
                Grant(
                    id=f"g{place}",
                    effect=pick.choice(list(Effect)),
                    subjects=tuple(pick.choices(_NAMES, k=2)),
                    models=tuple(pick.choices(("m", "*"), k=pick.randrange(3))),
                    operations=tuple(pick.choices(("chat", "*"), k=1)),
                )
                for place in range(pick.randrange(6))
            ),
        )
        for number in range(4)
    )


@pytest.mark.parametrize("seed", range(20))
def test_a_file_has_what_memory_has(tmp_path: Path, seed: int) -> None:
    policies = _policies(seed)
    write_grants(tmp_path / "grants", policies)
    kept, remembered = GrantsInFile(tmp_path / "grants"), GrantsInMemory(policies)
    keys = sorted({row[:3] for policy in policies for row in rows_of(policy.grants)})

    assert (kept.resources, kept.actions) == (remembered.resources, remembered.actions)
    for first in range(0, len(keys), 3):
        some = [*keys[first : first + 3], ("user:nobody", "model:none", "none")]
        assert list(kept.find(some)) == list(remembered.find(some))


def test_a_row_that_a_policy_has_twice_is_found_once() -> None:
    grant = Grant(id="g", effect=Effect.ALLOW, subjects=("user:a", "user:a"), models=("m",), operations=("chat",))
    policy = AccessPolicy(id="p", version="1", mode=Mode.ENFORCE, grants=(grant, grant))

    found = GrantsInMemory([policy]).find([("user:a", "model:m", "chat")])

    assert list(found) == [FoundRow(0, 0, ("user:a", "model:m", "chat", "allow", "g"))]


def test_rows_are_found_in_the_order_of_policies_and_of_their_grants() -> None:
    def policy(name: str) -> AccessPolicy:
        grants = [
            Grant(id=f"g{number}", effect=Effect.ALLOW, subjects=(who,), models=("m",), operations=("chat",))
            for number, who in enumerate(("*", "user:a"))
        ]
        return AccessPolicy(id=name, version="1", mode=Mode.ENFORCE, grants=tuple(grants))

    keys = [("user:a", "model:m", "chat"), ("*", "model:m", "chat")]

    found = GrantsInMemory([policy("a"), policy("b")]).find(keys)

    assert [(row.policy, row.place) for row in found] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_what_is_no_such_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "grants").write_bytes(b"no database" * 100)

    with pytest.raises(sqlite3.Error):
        GrantsInFile(tmp_path / "grants")


def test_a_file_is_only_read(tmp_path: Path) -> None:
    write_grants(tmp_path / "grants", _policies(1))
    kept = GrantsInFile(tmp_path / "grants")

    with pytest.raises(sqlite3.OperationalError):
        kept._connection.execute("DELETE FROM found")


def test_a_file_is_closed_with_its_last_user(tmp_path: Path) -> None:
    write_grants(tmp_path / "grants", _policies(1))
    kept = GrantsInFile(tmp_path / "grants")
    connection = kept._connection

    del kept

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
