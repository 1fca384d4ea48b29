# SPDX-License-Identifier: Apache-2.0
"""A principal's word for exactly one release: its id, the digest of what it enforces, and the environment."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Word(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"


class Void(StrEnum):
    """Why an approval or a rejection does not count."""

    WITHDRAWN = "withdrawn"
    OTHER_RELEASE = "other-release"
    ROLE_MISSING = "role-missing"
    OWN_RELEASE = "own-release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """`role` is that of the principal `by` at the time. `by_activation`: they gave it by activating the release."""

    tenant: str
    id: str
    release: str
    revision: str
    environment: str
    verdict: Word
    comment: str
    by: str
    role: str
    given_at: datetime
    by_activation: bool = False
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedApproval:
    """An approval with why it does not count now, None where it does."""

    approval: Approval
    void: Void | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a release stands by the rules of now: how many must approve, and whose word counts."""

    required: int
    approved_by: tuple[str, ...]
    rejected_by: tuple[str, ...]
