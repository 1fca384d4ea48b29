# SPDX-License-Identifier: Apache-2.0
"""Which role may do what: `policy.csv`, decided by Casbin once, at start, into an immutable table.

Facts about Casbin: it ignores an effect word it does not know, raises for a short row only when asked, and its
enforcers are not made for many threads. So rows are checked here first, and every question that can be asked is asked
at start. What nobody granted is denied.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import casbin

from controlplane.authz.permissions import Permission
from controlplane.services.model import Role

_FOLDER: Final = Path(__file__).parent
_MODEL: Final = _FOLDER / "model.conf"
_POLICY: Final = _FOLDER / "policy.csv"

Matrix = Mapping[Role, frozenset[Permission]]


def load_matrix(policy: Path = _POLICY) -> Matrix:
    """Return what each role may do. Raises ValueError for a row that is not `p, ROLE, PERMISSION, allow|deny`."""
    with policy.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.reader(file, skipinitialspace=True), start=1):
            _check(row, at=f"{policy.name}:{number}")
    enforcer = casbin.Enforcer(str(_MODEL), str(policy))
    return MappingProxyType(
        {
            role: frozenset(one for one in Permission if enforcer.enforce(role.value, one.value) is True)
            for role in Role
        },
    )


def _check(row: list[str], *, at: str) -> None:
    match row:
        case ["p", role, permission, "allow" | "deny"]:
            try:
                Role(role)
                Permission(permission)
            except ValueError as exc:
                raise ValueError(f"{at}: {exc}") from exc
        case _:
            raise ValueError(f"{at}: not 'p, ROLE, PERMISSION, allow|deny'")
