# SPDX-License-Identifier: Apache-2.0
"""Releases. Never changed once made."""

import json
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from controlplane.services.model import Page, PolicyTestResult, Release
from controlplane.store.pages import page_of
from controlplane.store.tables import releases


class SqlReleases:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, release: Release) -> None:
        self._connection.execute(
            insert(releases).values(
                tenant=release.tenant,
                id=release.id,
                environment=release.environment,
                policy_set=release.policy_set,
                revision=release.revision,
                policies=json.dumps(release.policies),
                tests=json.dumps([asdict(test) for test in release.tests]),
                snapshot=release.snapshot,
                description=release.description,
                author=release.author,
                created_at=release.created_at,
                untested=json.dumps(release.untested),
                untested_reason=release.untested_reason,
                promoted_from=release.promoted_from,
                manifest=release.manifest,
            ),
        )

    def get(self, tenant: str, release_id: str) -> Release | None:
        query = select(releases).where(releases.c.tenant == tenant, releases.c.id == release_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _release(row)

    def pins(self, tenant: str, release_id: str) -> tuple[tuple[str, str], ...]:
        query = select(releases.c.policies).where(releases.c.tenant == tenant, releases.c.id == release_id)
        found = self._connection.execute(query).scalar_one_or_none()
        return () if found is None else _pins(found)

    def page(self, tenant: str, policy_set: str, *, after: str | None, limit: int) -> Page[Release]:
        query = (
            select(releases)
            .where(releases.c.tenant == tenant, releases.c.policy_set == policy_set)
            .order_by(releases.c.id)
            .limit(limit + 1)
        )
        if after is not None:
            query = query.where(releases.c.id > after)
        return page_of(self._connection.execute(query).all(), limit=limit, item=_release, key="id")


def _pins(stored: str) -> tuple[tuple[str, str], ...]:
    return tuple((policy, revision) for policy, revision in json.loads(stored))


def _release(row: Row[Any]) -> Release:
    return Release(
        tenant=row.tenant,
        environment=row.environment,
        id=row.id,
        policy_set=row.policy_set,
        revision=row.revision,
        policies=_pins(row.policies),
        tests=tuple(map(_test, json.loads(row.tests))),
        snapshot=bytes(row.snapshot),
        description=row.description,
        author=row.author,
        created_at=row.created_at,
        untested=tuple(json.loads(row.untested or "[]")),
        untested_reason=row.untested_reason or "",
        promoted_from=row.promoted_from,
        manifest=row.manifest or "",
    )


def _test(raw: dict[str, Any]) -> PolicyTestResult:
    exercised = tuple((policy, rule) for policy, rule in raw.get("exercised", ()))
    return PolicyTestResult(**raw | {"exercised": exercised})
