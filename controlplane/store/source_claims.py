# SPDX-License-Identifier: Apache-2.0
"""What nodes say they numbered, held against what arrived.

Rules: a claim beyond what is stored waits. It is a gap once it has waited GRACE and for as long nothing has come of
that source at all, whether the process that made it still runs or has ended: a node that is still shipping an older
part of its spool has lost nothing. What arrives afterwards closes the gap again.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Row, delete, func, or_, select

from controlplane.services.records import Gap, SourceClaim, SourceReading
from controlplane.store.log_append import LogAppend
from controlplane.store.log_tables import source_boots, source_claims, source_gaps
from controlplane.store.rows import add_if_absent
from controlplane.store.source_runs import Key, Sources

GRACE: Final = timedelta(seconds=60)

_boots = source_boots.c
_claims = source_claims.c


def note_claims(connection: Connection, tenant: str, claims: Sequence[SourceClaim], *, at: datetime) -> bool:
    """Keep `claims`, and return whether any of the tenant's is overdue: only then is the log's lock worth taking."""
    sources = Sources(connection, tenant)
    keys = [(claim.source_id, claim.boot_id) for claim in claims]
    sources.load(keys)
    held = _held(connection, tenant, keys)
    for claim in claims:
        key = (claim.source_id, claim.boot_id)
        boot = sources.find(key)
        stored = 0 if boot is None else boot.last_seq
        if key in held and held[key] <= stored:
            _drop(connection, tenant, key)
            del held[key]
        # A claim that waits stays as it is, or one that grows by the second would never be overdue.
        if claim.last_seq > stored and key not in held:
            row = {
                "tenant": tenant,
                "source_id": claim.source_id,
                "boot_id": claim.boot_id,
                "environment": claim.environment,
                "last_seq": claim.last_seq,
                "claimed_at": at,
            }
            add_if_absent(connection, source_claims, row)
            held[key] = claim.last_seq
    return bool(_overdue(connection, tenant, at))


def forget_claims(connection: Connection, tenant: str, source_ids: Collection[str] | None) -> None:
    """Forget what waits of these sources, of all where None: their nodes claim it again as soon as they report."""
    waiting = delete(source_claims).where(_claims.tenant == tenant)
    connection.execute(waiting if source_ids is None else waiting.where(_claims.source_id.in_(list(source_ids))))


def close_overdue_claims(
    connection: Connection,
    tenant: str,
    appending: LogAppend,
    *,
    at: datetime,
) -> tuple[Gap, ...]:
    """Say of every overdue claim that its records are missing."""
    gaps = []
    for row in _overdue(connection, tenant, at):
        key = (row.source_id, row.boot_id)
        boot = appending.sources.ensure(key, environment=row.environment, at=at)
        gaps.append(appending.claim_gap(boot, row.last_seq))
        _drop(connection, tenant, key)
    return tuple(gaps)


def _held(connection: Connection, tenant: str, keys: Sequence[Key]) -> dict[Key, int]:
    query = select(_claims.source_id, _claims.boot_id, _claims.last_seq).where(
        _claims.tenant == tenant,
        _claims.source_id.in_({source_id for source_id, _ in keys}),
    )
    return {(row.source_id, row.boot_id): row.last_seq for row in connection.execute(query)}


def _overdue(connection: Connection, tenant: str, at: datetime) -> Sequence[Row[str, str, str | None, int]]:
    seen = (
        select(_boots.source_id, func.max(_boots.last_seen_at).label("last_seen_at"))
        .where(_boots.tenant == tenant)
        .group_by(_boots.source_id)
        .subquery()
    )
    query = (
        select(_claims.source_id, _claims.boot_id, _claims.environment, _claims.last_seq)
        .outerjoin(seen, seen.c.source_id == _claims.source_id)
        .outerjoin(
            source_boots,
            (_boots.tenant == tenant) & (_boots.source_id == _claims.source_id) & (_boots.boot_id == _claims.boot_id),
        )
        .where(
            _claims.tenant == tenant,
            _claims.claimed_at <= at - GRACE,
            _claims.last_seq > func.coalesce(_boots.last_seq, 0),
            or_(seen.c.last_seen_at.is_(None), seen.c.last_seen_at <= at - GRACE),
        )
    )
    return connection.execute(query).all()


def _drop(connection: Connection, tenant: str, key: Key) -> None:
    connection.execute(
        delete(source_claims).where(
            _claims.tenant == tenant,
            _claims.source_id == key[0],
            _claims.boot_id == key[1],
        ),
    )


def read_sources(connection: Connection, tenant: str) -> tuple[SourceReading, ...]:
    """Return every source of `tenant` that ever sent a record, and how many of its numbers are missing."""
    missing = (
        select(
            source_gaps.c.boot_ref,
            func.sum(source_gaps.c.last_seq - source_gaps.c.first_seq + 1).label("missing"),
        )
        .where(source_gaps.c.tenant == tenant)
        .group_by(source_gaps.c.boot_ref)
        .subquery()
    )
    query = (
        select(
            _boots.source_id,
            func.max(_boots.environment).label("environment"),
            func.count().label("boots"),
            func.coalesce(func.sum(missing.c.missing), 0).label("missing"),
            func.max(_boots.last_seen_at).label("last_seen_at"),
        )
        .outerjoin(missing, missing.c.boot_ref == _boots.ref)
        .where(_boots.tenant == tenant)
        .group_by(_boots.source_id)
        .order_by(_boots.source_id)
    )
    return tuple(
        SourceReading(
            source_id=row.source_id,
            environment=row.environment,
            boots=row.boots,
            missing=int(row.missing),
            last_seen_at=row.last_seen_at,
        )
        for row in connection.execute(query)
    )
