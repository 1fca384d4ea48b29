# SPDX-License-Identifier: Apache-2.0
"""What was asked of activations, where each stands, and how it came there."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, select, update

from controlplane.services.model import Page
from controlplane.services.rollout import Asked, Review, Rollout, RolloutState, Transition
from controlplane.services.times import format_time, parse_time
from controlplane.store.activation_tables import rollout_transitions, rollouts
from controlplane.store.pages import page_of

_UNDER_WAY: Final = RolloutState.CANDIDATE.value


class SqlRollouts:
    """`controlplane.services.activation_ports.Rollouts`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, rollout: Rollout, began: Transition) -> None:
        self._connection.execute(insert(rollouts).values(_values(rollout)))
        self._append(rollout, began)

    def move(self, rollout: Rollout, transition: Transition, *, before: RolloutState) -> bool:
        changed = self._connection.execute(
            update(rollouts)
            .where(_one(rollout.tenant, rollout.id), rollouts.c.state == before.value)
            .values(_values(rollout)),
        )
        if changed.rowcount == 0:
            return False
        self._append(rollout, transition)
        return True

    def set_deadline(self, rollout: Rollout, acknowledge_by: datetime | None) -> None:
        self._connection.execute(
            update(rollouts).where(_one(rollout.tenant, rollout.id)).values(acknowledge_by=acknowledge_by),
        )

    def set_review(self, rollout: Rollout) -> None:
        kept = {name: value for name, value in _values(rollout).items() if name in {"review", "is_open"}}
        self._connection.execute(update(rollouts).where(_one(rollout.tenant, rollout.id)).values(kept))

    def get(self, tenant: str, rollout_id: str) -> Rollout | None:
        return self._first(_one(tenant, rollout_id))

    def at_serial(self, tenant: str, environment: str, serial: int) -> Rollout | None:
        return self._first(_in(tenant, environment), rollouts.c.serial == serial)

    def candidate(self, tenant: str, environment: str) -> Rollout | None:
        return self._first(_in(tenant, environment), rollouts.c.state == _UNDER_WAY)

    def open(self) -> tuple[Rollout, ...]:
        query = select(rollouts).where(rollouts.c.is_open == 1)
        order = (rollouts.c.tenant, rollouts.c.environment, rollouts.c.id)
        return tuple(map(_rollout, self._connection.execute(query.order_by(*order))))

    def page(self, tenant: str, *, awaiting_review: bool = False, after: str | None, limit: int) -> Page[Rollout]:
        query = select(rollouts).where(rollouts.c.tenant == tenant).order_by(rollouts.c.id).limit(limit + 1)
        if awaiting_review:
            query = query.where(
                rollouts.c.review.is_(None), rollouts.c.asked.contains('"break_glass"', autoescape=True)
            )
        if after is not None:
            query = query.where(rollouts.c.id > after)
        return page_of(self._connection.execute(query).all(), limit=limit, item=_rollout, key="id")

    def history(self, tenant: str, rollout_id: str) -> tuple[Transition, ...]:
        query = select(rollout_transitions).where(_history(tenant, rollout_id)).order_by(rollout_transitions.c.number)
        return tuple(
            Transition(at=row.at, state=RolloutState(row.state), by=row.by, why=row.why)
            for row in self._connection.execute(query)
        )

    def _append(self, rollout: Rollout, transition: Transition) -> None:
        counted = select(func.count()).select_from(rollout_transitions).where(_history(rollout.tenant, rollout.id))
        number = self._connection.execute(counted).scalar_one()
        self._connection.execute(
            insert(rollout_transitions).values(
                tenant=rollout.tenant, rollout=rollout.id, number=number, **asdict(transition)
            ),
        )

    def _first(self, *where: ColumnElement[bool]) -> Rollout | None:
        row = self._connection.execute(select(rollouts).where(*where)).one_or_none()
        return None if row is None else _rollout(row)


def _one(tenant: str, rollout_id: str) -> ColumnElement[bool]:
    return and_(rollouts.c.tenant == tenant, rollouts.c.id == rollout_id)


def _in(tenant: str, environment: str) -> ColumnElement[bool]:
    return and_(rollouts.c.tenant == tenant, rollouts.c.environment == environment)


def _history(tenant: str, rollout_id: str) -> ColumnElement[bool]:
    return and_(rollout_transitions.c.tenant == tenant, rollout_transitions.c.rollout == rollout_id)


def _values(rollout: Rollout) -> dict[str, object]:
    review = rollout.review
    kept = {column.name: getattr(rollout, column.name) for column in rollouts.c}
    return kept | {
        "asked": json.dumps(rollout.asked.to_json(), sort_keys=True),
        "state": rollout.state.value,
        "is_open": int(rollout.is_open),
        "review": None if review is None else json.dumps(asdict(review) | {"at": format_time(review.at)}),
    }


def _rollout(row: Row[Any]) -> Rollout:
    kept = {name: value for name, value in row._mapping.items() if name != "is_open"}  # noqa: SLF001  # SQLAlchemy documents it
    review = None if row.review is None else json.loads(row.review)
    return Rollout(
        **kept
        | {
            "asked": Asked.from_json(json.loads(row.asked)),
            "state": RolloutState(row.state),
            "review": None if review is None else Review(**review | {"at": parse_time(review["at"])}),
        },
    )
