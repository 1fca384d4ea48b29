# SPDX-License-Identifier: Apache-2.0
"""The policy a worker enforces at one time: a snapshot with everything built from it. Never mutated, only replaced."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from policies.contracts.identity import OnRevocation
from policies.contracts.snapshot import PolicySnapshot, Route
from policies.engines.ports import AccessEngine, GuardEngine
from policies.evaluation.screening import Screening
from policies.evaluation.tool_calls import CallRules
from policies.redaction.engine import Redaction
from proxy_addons.core.identity_certificates import CertificateReader


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivePolicy:
    """`manifest_revision` is `SERIAL+REVISION`, what the guard engine's provenance must say. `etag` names the bundle.

    `certificates` says whom client certificates name; nobody, unless policy says it.
    `routes` is keyed by (method, exact path). `redaction` knows every redaction policy of the snapshot, `calls`
    every tools policy, `screening` every screening policy. `models` are those that grants allow by name: a client may
    write anything else.
    """

    serial: int
    manifest_revision: str
    snapshot: PolicySnapshot
    access: AccessEngine
    guard: GuardEngine
    routes: Mapping[tuple[str, str], Route]
    redaction: Redaction
    calls: CallRules
    models: frozenset[str] = frozenset()
    etag: str = ""
    screening: Screening = field(default_factory=lambda: Screening.of(()))
    certificates: CertificateReader = field(default_factory=lambda: CertificateReader(()))

    @property
    def cuts_revoked(self) -> bool:
        """Whether an answer under way ends with the credential that asked for it: where one identity policy says so."""
        return any(identity.on_revocation is OnRevocation.CUT for identity in self.snapshot.identity)
