# SPDX-License-Identifier: Apache-2.0
"""What a release says that has no effect: made nevertheless, and told to its author."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from policies.compiler.lints import lint
from policies.contracts.snapshot import PolicySnapshot
from policies.evaluation.recording import contradictions

_REMEMBERED: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseWarning:
    """`pointer` leads into the policy's document; it is empty where the whole policy is meant."""

    code: str
    policy: str
    message: str
    pointer: str = ""


_KNOWN: Final[dict[tuple[str, datetime], tuple[ReleaseWarning, ...]]] = {}


def warnings_of(revision: str, snapshot: bytes, made_at: datetime) -> tuple[ReleaseWarning, ...]:
    """Return what an author of the release with that canonical snapshot should know, as of when it was made.

    `revision` is the digest of `snapshot`, which may have many MiB: a page of releases is read again and again.
    """
    key = revision, made_at
    known = _KNOWN.get(key)
    if known is None:
        read = PolicySnapshot.from_json(json.loads(snapshot))
        if len(_KNOWN) >= _REMEMBERED:
            _KNOWN.clear()
        known = _KNOWN[key] = (*_contradicted(read), *_linted(read, made_at))
    return known


def _linted(snapshot: PolicySnapshot, at: datetime) -> Iterator[ReleaseWarning]:
    for found in lint(snapshot, at=at):
        message = f"{found.message} {found.fix}"
        yield ReleaseWarning(code=found.code, policy=found.policy, message=message, pointer=found.pointer)


def _contradicted(snapshot: PolicySnapshot) -> Iterator[ReleaseWarning]:
    for found in contradictions(snapshot.logging):
        message = f"What {found.loser!r} says of {found.member} has no effect: {found.winner!r} is stricter."
        yield ReleaseWarning(code="logging-contradicted", policy=found.loser, message=message)
