# SPDX-License-Identifier: Apache-2.0
"""An allow-list with nothing in it: all is refused, which is safe and seldom meant."""

from collections.abc import Iterator

from policies.compiler.lints.lint import Lint, Linted
from policies.contracts.decision import Effect, Mode
from policies.contracts.snapshot import AccessPolicy

CODE = "nothing-allowed"


def empty(linted: Linted) -> Iterator[Lint]:
    """Give the policies that are to allow something and allow nothing."""
    snapshot = linted.snapshot
    enforced = [access for access in snapshot.access if access.mode is Mode.ENFORCE]
    if enforced and not snapshot.guards and not any(map(_allows, enforced)):
        message = "No grant of any access policy allows anything, so that every request is refused."
        yield Lint(code=CODE, policy=enforced[0].id, pointer="/spec/grants", message=message, fix="Add a grant.")
    judging = [tools for tools in snapshot.tools if tools.mode is Mode.ENFORCE]
    if judging and not any(rule.effect is Effect.ALLOW for tools in judging for rule in tools.rules):
        message = "No rule allows a tool call, so that every call is refused."
        yield Lint(code=CODE, policy=judging[0].id, pointer="/spec/rules", message=message, fix="Add a rule.")


def _allows(access: AccessPolicy) -> bool:
    return any(grant.effect is Effect.ALLOW for grant in access.grants)
