# SPDX-License-Identifier: Apache-2.0
"""An approved prompt that no rule names: it was approved, and no request has to have it or is given it."""

from collections.abc import Iterator

from policies.compiler.lints.lint import Lint, Linted

CODE = "prompt-unused"


def unused(linted: Linted) -> Iterator[Lint]:
    """Give the prompts that no rule of their policy names: another policy cannot."""
    for policy in linted.snapshot.prompts:
        named = {name for rule in policy.rules for name in (*rule.require, rule.insert)}
        for number, prompt in enumerate(policy.prompts):
            if prompt.name not in named:
                message = f"No rule requires or inserts the prompt {prompt.name!r}."
                pointer, fix = f"/spec/prompts/{number}", "Name it in a rule, or remove it."
                yield Lint(code=CODE, policy=policy.id, pointer=pointer, message=message, fix=fix)
