# SPDX-License-Identifier: Apache-2.0
"""Stock OPAs as the control plane keeps them."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaBundle:
    """What an OPA says of one bundle: `code` is null while all is well."""

    name: str
    active_revision: str | None
    last_success: str | None
    code: str | None


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
