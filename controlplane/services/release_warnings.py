# SPDX-License-Identifier: Apache-2.0
"""What a release says that has no effect: made nevertheless, and told to its author."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from policies.contracts.snapshot import PolicySnapshot
from policies.evaluation.recording import contradictions

# A canonical snapshot without logging policies has this nowhere but in texts; most need not be read.
_LOGGING: Final = b'"logging":['


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseWarning:
    code: str
    policy: str
    message: str


def warnings_of(snapshot: bytes) -> tuple[ReleaseWarning, ...]:
    """Return what an author of the release with that canonical snapshot should know."""
    return tuple(_contradicted(snapshot)) if _LOGGING in snapshot else ()


def _contradicted(snapshot: bytes) -> Iterator[ReleaseWarning]:
    for found in contradictions(PolicySnapshot.from_json(json.loads(snapshot)).logging):
        message = f"What {found.loser!r} says of {found.member} has no effect: {found.winner!r} is stricter."
        yield ReleaseWarning(code="logging-contradicted", policy=found.loser, message=message)
