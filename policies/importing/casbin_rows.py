# SPDX-License-Identifier: Apache-2.0
"""Read the rows of a Casbin policy strictly: ours is the only reader that says where a row is not what it seems.

Facts that make strictness needed: pycasbin takes a row with an effect it does not know and never applies it, takes one
that is too short and fails when it is asked, and cuts a row at a comma within quotes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from policies.contracts.decision import Effect
from policies.contracts.errors import Diagnostic, Position
from policies.importing.casbin_model import CasbinModel

_ROLE_FIELDS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    line: int
    subject: str
    object: str
    action: str
    effect: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRow:
    line: int
    member: str
    role: str


class CasbinRows:
    """The rows of a policy, and what is wrong with them."""

    def __init__(self, file: str, text: str, model: CasbinModel) -> None:
        self._file = file
        self._model = model
        self.policies: list[PolicyRow] = []
        self.roles: list[RoleRow] = []
        self.problems: list[Diagnostic] = []
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip() and not line.lstrip().startswith("#"):
                self._row(number, line)

    def refuse(self, code: str, line: int, message: str, fix: str = "", *, column: int = 1) -> None:
        """Note what is wrong at a place."""
        at = Position(file=self._file, line=line, column=column)
        self.problems.append(Diagnostic(code=code, at=at, message=message, fix=fix))

    def _row(self, line: int, text: str) -> None:
        if '"' in text or "#" in text:
            self.refuse("row-not-plain", line, "Casbin's readers disagree on quotes and comments in a row.")
            return
        fields = [field.strip() for field in text.split(",")]
        if "" in fields:
            self.refuse("field-empty", line, "A field is empty.", column=_column(text, fields.index("")))
            return
        match fields[0]:
            case "p":
                self._policy(line, text, fields[1:])
            case "g" if self._model.roles:
                self._role(line, fields[1:])
            case "g":
                self.refuse("roles-unused", line, "The model has no roles, so that this row says nothing.")
            case other:
                self.refuse("unknown-row", line, f"A row of type {other!r} cannot be imported.", "There are p and g.")

    def _policy(self, line: int, text: str, fields: list[str]) -> None:
        wanted = 4 if self._model.has_effect else 3
        if len(fields) != wanted:
            self.refuse("field-count", line, f"The row has {len(fields)} fields, not {wanted}.")
            return
        word = fields[3] if self._model.has_effect else "allow"
        if word not in (Effect.ALLOW, Effect.DENY):
            message = f"The effect {word!r} is neither allow nor deny."
            self.refuse("unknown-effect", line, message, column=_column(text, 4))
            return
        if word == Effect.DENY and not self._model.denials_count:
            message = "The model's effect passes over denials, so that this row says nothing."
            self.refuse("denial-without-effect", line, message, "Remove it, or correct [policy_effect].")
            return
        self.policies.append(
            PolicyRow(line=line, subject=fields[0], object=fields[1], action=fields[2], effect=Effect(word))
        )

    def _role(self, line: int, fields: list[str]) -> None:
        if len(fields) != _ROLE_FIELDS:
            self.refuse("field-count", line, f"The row has {len(fields)} fields, not {_ROLE_FIELDS}.")
            return
        self.roles.append(RoleRow(line=line, member=fields[0], role=fields[1]))


def members_of(roles: list[RoleRow]) -> dict[str, set[str]]:
    """Return who has each role, by way of other roles too. A role has itself, as Casbin has it."""
    above: dict[str, set[str]] = {}
    for row in roles:
        above.setdefault(row.member, set()).add(row.role)
    members: dict[str, set[str]] = {row.role: {row.role} for row in roles}
    for member in above:
        for role in _reached(member, above):
            members.setdefault(role, {role}).add(member)
    return members


def _reached(member: str, above: dict[str, set[str]]) -> Iterator[str]:
    seen: set[str] = set()
    rest = [*above.get(member, ())]
    while rest:
        role = rest.pop()
        if role not in seen:
            seen.add(role)
            rest += above.get(role, ())
            yield role


def deepest(roles: list[RoleRow]) -> int:
    """Return how many roles are one above the other; more than there are rows where they lead in a circle."""
    depth: dict[str, int] = {}
    for _ in range(len(roles) + 1):
        before = dict(depth)
        for row in roles:
            depth[row.role] = max(depth.get(row.role, 0), depth.get(row.member, 0) + 1)
        if depth == before:
            return max(depth.values(), default=0)
    return len(roles) + 1


def _column(text: str, field: int) -> int:
    """Return the column at which the field number `field` of a row begins."""
    parts = text.split(",")
    before = sum(len(part) + 1 for part in parts[:field])
    return before + len(parts[field]) - len(parts[field].lstrip()) + 1
