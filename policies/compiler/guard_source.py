# SPDX-License-Identifier: Apache-2.0
"""A guard's Rego with the way back from a place in it to the place in the document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from policies.bundle.guard_entry import guard_name
from policies.contracts.codec import JSON
from policies.contracts.errors import Diagnostic
from policies.document.model import GuardSpec, Places, PolicyDocument

_MODULE = "/spec/module"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSource:
    """`file` names the module where engines speak of files; `data` is what it finds under `data`."""

    id: str
    module: str
    package: str
    file: str
    data: Mapping[str, JSON]
    reasons: Mapping[str, str]
    places: Places

    def problem(self, code: str, message: str, *, row: int, column: int = 1, fix: str = "") -> Diagnostic:
        """Return what is wrong at a place of the module."""
        at = self.places.within(_MODULE, row=row, column=column)
        return Diagnostic(code=code, at=at, message=message, fix=fix)

    def problem_at(self, code: str, message: str, offset: int) -> Diagnostic:
        """Return what is wrong at an offset into the module."""
        row = self.module.count("\n", 0, offset) + 1
        column = offset - self.module.rfind("\n", 0, offset)
        return self.problem(code, message, row=row, column=column)


def sources_of(guards: Sequence[PolicyDocument]) -> tuple[GuardSource, ...]:
    """Return the Rego of the guards among `guards`."""
    return tuple(
        GuardSource(
            id=guard.id,
            module=guard.spec.module,
            package=f"gatehouse.guard.{guard_name(guard.id)}",
            file=f"{guard_name(guard.id)}.rego",
            data={"gatehouse": {"guard_data": {guard_name(guard.id): guard.spec.data}}},
            reasons=guard.spec.reasons,
            places=guard.places,
        )
        for guard in guards
        if isinstance(guard.spec, GuardSpec)
    )
