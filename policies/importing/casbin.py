# SPDX-License-Identifier: Apache-2.0
"""A Casbin model and its rows as one access policy that decides the same, or everything that stands against it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from policies.contracts.errors import PolicyRejected
from policies.document import forms
from policies.document.forms import Form
from policies.importing.casbin_model import CasbinModel, read_model
from policies.importing.casbin_rows import CasbinRows, PolicyRow, deepest, members_of

# Casbin reaches no role further up than this: to flatten those would grant more. Held to pycasbin by a test.
_DEEPEST: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What Casbin's names are called here. Objects are models; an action that `actions` lacks keeps its name."""

    subject_type: str = "user"
    actions: Mapping[str, str] = field(default_factory=dict)


def import_casbin(model: tuple[str, str], rows: tuple[str, str], *, policy: str, naming: Naming) -> dict[str, Any]:
    """Return the access policy `policy`, to be written as JSON or YAML. `model` and `rows` are file name and text.

    Raises PolicyRejected with everything that it could not say.
    """
    return _Import(read_model(*model), rows, naming).document(policy)


class _Import:
    def __init__(self, model: CasbinModel, rows: tuple[str, str], naming: Naming) -> None:
        self._model = model
        self._naming = naming
        self._rows = CasbinRows(*rows, model)
        self._groups = members_of(self._rows.roles)

    def document(self, policy: str) -> dict[str, Any]:
        if not self._rows.policies and not self._rows.problems:
            message = "There is no row: the policy denies everything."
            self._rows.refuse("empty-policy", 1, message, "A release without a grant denies as well.")
        depth, circle = deepest(self._rows.roles), len(self._rows.roles) + 1
        if depth > _DEEPEST or depth == circle:
            many = "in a circle" if depth == circle else f"{depth} deep"
            self._rows.refuse("roles-too-deep", 1, f"Roles lead {many}; Casbin follows {_DEEPEST} of them.")
        grants = self._grants()
        groups = {
            name: sorted(f"{self._naming.subject_type}:{member}" for member in members)
            for name, members in sorted(self._groups.items())
        }
        for row in self._rows.roles:
            self._fits(row.member, forms.GROUP, row.line, "member")
            self._fits(row.role, forms.GROUP, row.line, "role")
        if self._rows.problems:
            raise PolicyRejected(sorted(self._rows.problems, key=lambda each: (each.at.line, each.at.column)))
        spec = {"groups": groups, "grants": grants} if groups else {"grants": grants}
        return {
            "kind": "access",
            "id": policy,
            "version": "1",
            "description": "Imported from a Casbin model and its rows.",
            "spec": spec,
        }

    def _grants(self) -> list[dict[str, Any]]:
        """Return a grant for each subject, effect and action, with all objects; it is called by its first row."""
        together: dict[tuple[str, str, str], list[PolicyRow]] = {}
        for row in self._rows.policies:
            together.setdefault((row.subject, row.effect, row.action), []).append(row)
        return [self._grant(rows) for rows in together.values()]

    def _grant(self, rows: list[PolicyRow]) -> dict[str, Any]:
        first = rows[0]
        return {
            "id": f"line-{first.line}",
            "effect": first.effect.value,
            "subjects": [self._subject(first)],
            "models": [*dict.fromkeys(self._object(row) for row in rows)],
            "operations": [self._action(first)],
        }

    def _subject(self, row: PolicyRow) -> str:
        if row.subject == "*" and self._model.everybody:
            return "*"
        self._fits(row.subject, forms.GROUP, row.line, "subject")
        return f"group:{row.subject}" if row.subject in self._groups else f"{self._naming.subject_type}:{row.subject}"

    def _object(self, row: PolicyRow) -> str:
        if row.object == "*" and self._model.every_object:
            return "*"
        if "*" in row.object:
            message = f"The object {row.object!r} is a pattern, and a model is named exactly or by '*' alone."
            self._rows.refuse("object-not-importable", row.line, message)
        else:
            self._fits(row.object, forms.MODEL, row.line, "object")
        return row.object

    def _action(self, row: PolicyRow) -> str:
        if row.action == "*" and self._model.every_action:
            return "*"
        named = self._naming.actions.get(row.action, row.action)
        self._fits(
            named, forms.ONE_OPERATION, row.line, "action", "Say what it is called here: --action NAME=OPERATION."
        )
        return named

    def _fits(self, text: str, form: Form, line: int, what: str, fix: str = "") -> None:
        if not form.fits(text):
            message = f"The {what} {json.dumps(text[:64])} is no {form.name}: {form.words}."
            self._rows.refuse(f"{what}-not-importable", line, message, fix)
