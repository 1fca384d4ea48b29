# SPDX-License-Identifier: Apache-2.0
"""The policy a worker enforces at one time: a snapshot with everything built from it. Never mutated, only replaced."""

from collections.abc import Mapping
from dataclasses import dataclass

from policies.contracts.snapshot import PolicySnapshot, Route
from policies.engines.ports import AccessEngine, GuardEngine
from policies.redaction.engine import Redaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivePolicy:
    """`manifest_revision` is `SERIAL+REVISION`, what the guard engine's provenance must say.

    `routes` is keyed by (method, exact path). `redaction` knows every redaction policy of the snapshot.
    """

    serial: int
    manifest_revision: str
    snapshot: PolicySnapshot
    access: AccessEngine
    guard: GuardEngine
    routes: Mapping[tuple[str, str], Route]
    redaction: Redaction
