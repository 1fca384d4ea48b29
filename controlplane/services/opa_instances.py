# SPDX-License-Identifier: Apache-2.0
"""Stock OPAs as the control plane keeps them."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

# What the bundle is called in what we tell OPAs to do (`policies/bundle/discovery.py`).
OURS: Final = "gatehouse"
_MANIFEST_REVISION: Final = re.compile(r"(\d{1,15})\+sha256:[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaBundle:
    """What an OPA says of one bundle: `code` is null while all is well.

    `highest_serial` is the highest that this OPA ever said to have: less is an old bundle that was given to it again.
    """

    name: str
    active_revision: str | None
    last_success: str | None
    code: str | None
    highest_serial: int | None = None

    @property
    def serial(self) -> int | None:
        """Return the serial of a bundle of ours."""
        found = _MANIFEST_REVISION.fullmatch(self.active_revision or "") if self.name == OURS else None
        return int(found[1]) if found else None

    def drift(self, desired: int) -> "Drift":
        """Return how what is active differs from the serial `desired`."""
        if self.serial is None:
            return Drift.UNKNOWN
        if self.highest_serial is not None and self.serial < self.highest_serial:
            return Drift.REPLAYED
        return Drift.BEHIND if self.serial < desired else Drift.NONE


class Drift(StrEnum):
    """NONE: what is active is in force. REPLAYED: something older than it had before. UNKNOWN: no bundle of ours."""

    NONE = "none"
    BEHIND = "behind"
    REPLAYED = "replayed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What is in force where an OPA is, since `since`; serial 0 is nothing."""

    serial: int
    revision: str | None
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaInstance:
    """A stock OPA as it last reported itself. `dropped` counts decisions that it says it lost."""

    tenant: str
    environment: str
    id: str
    version: str
    bundles: tuple[OpaBundle, ...]
    dropped: int
    reported_by: str
    reported_at: datetime
