# SPDX-License-Identifier: Apache-2.0
"""What reaches further than it says: an allow wider than the group it names, or a rule that disables all others."""

import re
from collections.abc import Iterator
from typing import Final

from policies.compiler.lints.lint import ANY, Lint, Linted, every, named
from policies.contracts.decision import Effect, Mode
from policies.contracts.snapshot import Grant, GuardPolicy

WIDER: Final = "wider-than-its-group"
ALLOWS: Final = "allows-everything"
DENIES: Final = "denies-everything"

_ALLOWING: Final = re.compile(r"^(?:default[ \t]+)?allow[ \t]*(?::=|=)[ \t]*true[ \t]*(?:#.*)?$", re.MULTILINE)
_DENYING: Final = re.compile(r'^deny[ \t]+contains[ \t]+"[a-z0-9-]+"[ \t]*(?:#.*)?$', re.MULTILINE)


def wide(linted: Linted) -> Iterator[Lint]:
    """Give the rules that reach everybody or everything."""
    for access in linted.snapshot.access:
        for number, grant in enumerate(access.grants):
            yield from _grant(access.id, f"/spec/grants/{number}", grant)
    for guard in linted.snapshot.guards:
        yield from _guard(guard)


def _grant(policy: str, pointer: str, grant: Grant) -> Iterator[Lint]:
    others = [subject for subject in grant.subjects if subject != ANY]
    if every(grant.subjects) and others and grant.effect is Effect.ALLOW:
        message = f"{grant.id!r} names {named(others)} and allows everybody: '*' stands beside it."
        yield Lint(code=WIDER, policy=policy, pointer=f"{pointer}/subjects", message=message, fix="Remove '*'.")
    if every(grant.subjects) and every(grant.operations) and every(grant.models):
        code, does = (ALLOWS, "allows") if grant.effect is Effect.ALLOW else (DENIES, "denies")
        message = f"{grant.id!r} {does} every operation on every model to everybody."
        fix = "Name subjects, models or operations."
        yield Lint(code=code, policy=policy, pointer=pointer, message=message, fix=fix)


def _guard(guard: GuardPolicy) -> Iterator[Lint]:
    """Only what stands in a line of its own: a guard may have conditions that no reader of a line sees."""
    if guard.mode is not Mode.ENFORCE:
        return
    if _ALLOWING.search(guard.module):
        message = "The guard allows every request, so that no grant is needed for any."
        fix = "Give 'allow' a condition, or leave it out: what access policies allow needs no second allow."
        yield Lint(code=ALLOWS, policy=guard.id, pointer="/spec/module", message=message, fix=fix)
    if _DENYING.search(guard.module):
        message = "The guard denies every request."
        yield Lint(code=DENIES, policy=guard.id, pointer="/spec/module", message=message, fix="Give it a condition.")
