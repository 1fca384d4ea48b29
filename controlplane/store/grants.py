# SPDX-License-Identifier: Apache-2.0
"""Who may do what to which table, on PostgreSQL: a role for each task of a server, none of which owns anything.

Rules: only the owner, who migrates, may change the schema. Nobody may change an entry of the log, and only upkeep,
which is the sequencing role's, may delete one. Serving the API reads the log and writes none of it: who takes over
what answers requests cannot add a record, move a tile or sign a checkpoint.

Facts: a partition is read and written through its table, whose rights count. SELECT … FOR UPDATE needs the right to
update; a sequence has rights of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

import controlplane.store.store  # noqa: F401  # brings every table into METADATA, whoever imports this first
from controlplane.store import tables
from controlplane.store.columns import METADATA

_ADD: Final = "SELECT, INSERT"
_GROW: Final = "SELECT, INSERT, UPDATE"
_OWN: Final = "SELECT, INSERT, UPDATE, DELETE"
_SEQUENCES: Final = ("admin_events_seq_seq",)

# What appending to the log touches, whoever does it.
_APPENDING: Final[dict[str, str]] = {
    "log_heads": _GROW,
    "log_days": _GROW,
    "log_tiles": _GROW,
    "records": _ADD,
    "payloads": _ADD,
    "payload_keys": _ADD,
    "source_boots": _GROW,
    "source_runs": _GROW,
    "source_gaps": _OWN,
    "source_claims": _OWN,
    "decisions": _GROW,
    "decision_fingerprints": _OWN,
    "decision_index_heads": _GROW,
    "decision_postings": _GROW,
    "decision_rollups": _GROW,
    "decision_zones": _GROW,
    "quarantine": _ADD,
}
INGESTION: Final[dict[str, str]] = _APPENDING | {
    "environments": "SELECT",
    "opa_decisions": _OWN,
    "opa_instances": _OWN,
}
SEQUENCING: Final[dict[str, str]] = _APPENDING | {
    "admin_events": _GROW,
    "checkpoints": _GROW,
    "sequencer_terms": "SELECT, UPDATE",
    # Upkeep: erasures, and what retention drops.
    "records": "SELECT, INSERT, DELETE",
    "payloads": "SELECT, INSERT, DELETE",
    "payload_keys": _GROW,
    "quarantine": _OWN,
    "decisions": _OWN,
    "decision_postings": _OWN,
    "decision_zones": _OWN,
    "erasures": _GROW,
    "legal_holds": "SELECT",
    "retention_drops": _GROW,
    "retention_policies": _GROW,
}
_ADMINISTERED: Final = (
    "activations",
    "agent_workers",
    "agents",
    "api_keys",
    "approvals",
    "blocked_subjects",
    "environment_documents",
    "environment_rules",
    "environments",
    "idempotency_keys",
    "legal_holds",
    "operations",
    "policies",
    "policy_revisions",
    "posture_findings",
    "posture_results",
    "principals",
    "release_evidence",
    "releases",
    "revocations",
    "revoked_tokens",
    "rollout_transitions",
    "rollouts",
    "sink_positions",
)
SERVING: Final[dict[str, str]] = (
    dict.fromkeys(sorted([*METADATA.tables, "alembic_version"]), "SELECT")
    | dict.fromkeys(_ADMINISTERED, _OWN)
    | {"admin_events": _ADD}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The names of the database roles, which must exist. One name may stand for several tasks."""

    serving: str
    ingestion: str
    sequencing: str


def grant(connection: Connection, roles: Roles) -> None:
    """Give each role what its task needs and nothing else. For the owner of the tables, after every migration."""
    for statement in statements(connection, roles):
        connection.execute(text(statement))


def statements(connection: Connection, roles: Roles) -> Iterator[str]:
    """Yield what `grant` executes, in its order."""
    quote = connection.dialect.identifier_preparer.quote
    tasks = ((roles.serving, SERVING), (roles.ingestion, INGESTION), (roles.sequencing, SEQUENCING))
    yield "REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    for name in sorted({role for role, _ in tasks}):
        role = quote(name)
        yield f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}"
        yield f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {role}"
        yield f"REVOKE ALL ON SCHEMA public FROM {role}"
        yield f"GRANT USAGE ON SCHEMA public TO {role}"
    for name, allowed in tasks:
        role = quote(name)
        for table, privileges in allowed.items():
            yield f"GRANT {privileges} ON {quote(table)} TO {role}"
        if "INSERT" in allowed.get(tables.admin_events.name, ""):
            for sequence in _SEQUENCES:
                yield f"GRANT USAGE ON SEQUENCE {quote(sequence)} TO {role}"
