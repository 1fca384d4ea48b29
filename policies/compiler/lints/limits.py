# SPDX-License-Identifier: Apache-2.0
"""A limit that is never reached: what the proxy itself takes is less, or another limit is."""

from collections.abc import Iterator

from policies.compiler.lints.lint import ANY, Lint, Linted
from policies.contracts.decision import Mode
from policies.contracts.snapshot import LimitPolicy
from policies.evaluation.limits import LARGEST_BODY_BYTES

ABOVE = "limit-above-server"
NEVER_REACHED = "limit-never-reached"


def limits(linted: Linted) -> Iterator[Lint]:
    """Give the limits that limit nothing."""
    enforced = [limit for limit in linted.snapshot.limits if limit.mode is Mode.ENFORCE]
    for limit in enforced:
        at = "/spec/max_body_bytes"
        if limit.max_body_bytes is None:
            continue
        if limit.max_body_bytes >= LARGEST_BODY_BYTES:
            message = f"The proxy takes no body above {LARGEST_BODY_BYTES} bytes anyhow."
            yield Lint(code=ABOVE, policy=limit.id, pointer=at, message=message, fix="Lower it, or remove it.")
        elif lower := next((each for each in enforced if _holds_before(each, limit)), None):
            message = f"{lower.id!r} allows everybody it is for {lower.max_body_bytes} bytes, which is less."
            yield Lint(code=NEVER_REACHED, policy=limit.id, pointer=at, message=message, fix="Lower it, or remove it.")


def _holds_before(lower: LimitPolicy, limit: LimitPolicy) -> bool:
    both = (lower.max_body_bytes, limit.max_body_bytes)
    if lower is limit or both[0] is None or both[1] is None or both[0] >= both[1]:
        return False
    return ANY in lower.subjects or set(limit.subjects) <= set(lower.subjects)
