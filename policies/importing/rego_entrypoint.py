# SPDX-License-Identifier: Apache-2.0
"""One rule of others as what a guard says: their callers let a request pass where it is true, and so does the guard.

Rule: what a guard is asked for is its `allow`, `deny`, `obligations` and `deny_call`. So the module may have no rule of
such a name beside the entrypoint: nobody asked it before.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Self

from policies.contracts.errors import Diagnostic, Position

NOT_TRUE: Final = "imported-rule-not-true"

_PATH: Final = re.compile(r"(?a:([A-Za-z_]\w*(?:/[A-Za-z_]\w*)*)/([A-Za-z_]\w*))")
_ASKED: Final = ("allow", "deny", "obligations", "deny_call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrypoint:
    """`package` is written with dots."""

    package: str
    rule: str

    @classmethod
    def read(cls, text: str) -> Self:
        """Return what `PACKAGE/RULE` says. Raises ValueError."""
        path = _PATH.fullmatch(text)
        if path is None:
            raise ValueError(f"{text[:128]!r} is not PACKAGE/RULE, as example/authz/allow")
        return cls(package=path[1].replace("/", "."), rule=path[2])

    def reasons(self) -> dict[str, str]:
        """Return the codes of the rules that `added` gives."""
        return {} if self.rule == "deny" else {NOT_TRUE: f"data.{self.package}.{self.rule} is not true."}

    def added(self, package: str) -> str:
        """Return the rules of the guard `package` that ask the entrypoint. A set `deny` is asked as it is."""
        if self.rule == "deny":
            return ""
        # By its full path, which no import hides.
        true = f"data.{package}.{self.rule} == true"
        allow = "" if self.rule == "allow" else f"\nallow if {true}\n"
        return f'\n{allow}\ndeny contains "{NOT_TRUE}" if not {true}\n'

    def problems(self, file: str, rules: Mapping[str, int]) -> Iterator[Diagnostic]:
        """Give what stands against asking this rule of a module whose rules begin in the rows `rules`."""
        if self.rule not in rules:
            message = f"There is no rule {self.rule!r} that could be read."
            yield Diagnostic(code="entrypoint-missing", at=Position(file=file), message=message)
        for name in _ASKED:
            if name in rules and name != self.rule:
                yield Diagnostic(
                    code="rule-name-taken",
                    at=Position(file=file, line=rules[name]),
                    message=f"The guard would be asked for {name!r} too, which is not the entrypoint.",
                    fix="Rename the rule.",
                )

    def placed(self, problem: Diagnostic, *, rows: int, rules: Mapping[str, int]) -> Diagnostic:
        """Return `problem` at the entrypoint where it is in what was added behind the `rows` of a module."""
        if problem.at.line <= rows:
            return problem
        at = Position(file=problem.at.file, line=rules.get(self.rule, 1))
        if problem.code == "rego-type-error":
            message = f"{self.rule!r} is never true or false, so that it says neither yes nor no."
            return Diagnostic(code="entrypoint-not-boolean", at=at, message=message, fix="Name a boolean rule.")
        return Diagnostic(code=problem.code, at=at, message=problem.message, fix=problem.fix)
