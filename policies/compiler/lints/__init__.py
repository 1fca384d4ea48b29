# SPDX-License-Identifier: Apache-2.0
"""Lints: what policies say that is right by the letter and hardly meant. Warnings, one module for each question.

Theory: they look at the compiled form, so that documents, a directory and a release that was made long ago are judged
by the same code. `docs/reference/lints.md` lists their codes.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from policies.compiler.lints.empty import empty
from policies.compiler.lints.expired import expired
from policies.compiler.lints.limits import limits
from policies.compiler.lints.lint import Lint, Linted
from policies.compiler.lints.never_matches import never_matches
from policies.compiler.lints.nobody import nobody
from policies.compiler.lints.overlap import overlap
from policies.compiler.lints.screens import screens
from policies.compiler.lints.shadowed import shadowed
from policies.compiler.lints.unused import unused
from policies.compiler.lints.wide import wide
from policies.contracts.snapshot import PolicySnapshot

LINTS: Final[tuple[Callable[[Linted], Iterator[Lint]], ...]] = (
    never_matches,
    shadowed,
    nobody,
    wide,
    expired,
    limits,
    empty,
    overlap,
    unused,
    screens,
)


def lint(snapshot: PolicySnapshot, *, at: datetime) -> tuple[Lint, ...]:
    """Return what the policies of `snapshot` say that is hardly meant, by policy and place. `at` is now."""
    linted = Linted(snapshot=snapshot, at=at)
    found = {each for of in LINTS for each in of(linted)}
    return tuple(sorted(found, key=lambda each: (each.policy, each.pointer, each.code, each.message)))
