# SPDX-License-Identifier: Apache-2.0
"""Identifiers of what the control plane creates: a prefix that says what it is, then a ULID, sortable by time."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

from ulid import ULID

Clock: TypeAlias = Callable[[], datetime]
NewId: TypeAlias = Callable[[str], str]


def utc_now() -> datetime:
    """Return the time as aware UTC: the clock of a real process."""
    return datetime.now(tz=UTC)


def new_ulid(prefix: str) -> str:
    """Return `prefix` and a fresh ULID: the identifiers of a real process."""
    return f"{prefix}{ULID()}"
