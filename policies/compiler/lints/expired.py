# SPDX-License-Identifier: Apache-2.0
"""An exception whose time is over: it decides nothing any more, and the next reader takes it for granted."""

from collections.abc import Iterator

from policies.compiler.lints.lint import Lint, Linted

CODE = "expired"


def expired(linted: Linted) -> Iterator[Lint]:
    """Give the grants that have ended."""
    for access in linted.snapshot.access:
        for number, grant in enumerate(access.grants):
            ends = grant.ends_at
            if ends is not None and ends <= linted.at:
                yield Lint(
                    code=CODE,
                    policy=access.id,
                    pointer=f"/spec/grants/{number}/expires",
                    message=f"{grant.id!r} ended at {grant.expires}.",
                    fix="Remove it, or give it a later end.",
                )
