# SPDX-License-Identifier: Apache-2.0
"""A policy that refuses by the classifier's score, and lets everything pass that it did not judge."""

from collections.abc import Iterator

from policies.compiler.lints.lint import Lint, Linted
from policies.contracts.decision import Mode
from policies.contracts.screening import Otherwise, ScreenEffect

CODE = "screen-can-be-silenced"


def screens(linted: Linted) -> Iterator[Lint]:
    """Give the enforcing policies by which a request gets through that keeps the screen busy, or is long enough."""
    for policy in linted.snapshot.screening:
        denies = any(rule.effect is ScreenEffect.DENY for rule in policy.classifier)
        if policy.ask is None or not denies or policy.mode is not Mode.ENFORCE:
            continue
        stated = (
            ("when_absent", policy.ask.when_absent, "where the screen does not answer"),
            ("when_incomplete", policy.ask.when_incomplete, "where the screen did not judge all of it"),
        )
        for name, otherwise, where in stated:
            if otherwise is Otherwise.ALLOW:
                message = f"What its rules would refuse is let through {where}, which whoever asks can bring about."
                fix = f"Leave 'ask.{name}' out, or let the policy only observe."
                yield Lint(code=CODE, policy=policy.id, pointer=f"/spec/ask/{name}", message=message, fix=fix)
