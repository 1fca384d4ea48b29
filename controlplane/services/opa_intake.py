# SPDX-License-Identifier: Apache-2.0
"""Take in what stock OPAs send: their decisions into the log, their status beside it.

Facts: OPA sends a chunk again after any answer but 2xx, for as long as it lives. So a repetition is a yes, and what can
never be read goes into quarantine and is a yes too. A decision is known by OPA's label `id` and its own `decision_id`,
remembered for `REMEMBERED`, which is far longer than OPA keeps a chunk that it could not deliver.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
import structlog

from controlplane.identifiers import Clock, NewId
from controlplane.services.errors import Invalid, NotFound
from controlplane.services.model import Page, Principal
from controlplane.services.opa_events import UnreadableEvent, read_event
from controlplane.services.opa_instances import Desired, Drift, OpaBundle, OpaInstance
from controlplane.services.ports import Session, Store
from controlplane.services.record_lines import put_aside
from controlplane.services.records import Ingested, QuarantinedLine, ReceivedRecord
from controlplane.services.scope import require_scope

MAX_CHUNK_BYTES: Final = 8 * 1024 * 1024
MAX_UNPACKED_BYTES: Final = 64 * 1024 * 1024
_MOST_EVENTS: Final = 20_000
REMEMBERED: Final = timedelta(days=7)
# A stock OPA reports with every poll and every activation; its longest default pause between polls is two minutes.
STALE_AFTER: Final = timedelta(minutes=5)
_MOST_BUNDLES: Final = 32
_LONGEST: Final = 256
_DROPPED: Final = ("counter_decision_logs_dropped", "counter_decision_logs_nd_builtin_cache_dropped")

_log: Final = structlog.get_logger("gatehouse.opa")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaIntake:
    """What OPAs send goes to `store`; what is asked of them is read from `serving_store`.

    They are two because the database role that takes in records may not read what is in force.
    """

    store: Store
    serving_store: Store
    clock: Clock
    new_id: NewId

    def decisions(self, actor: Principal, environment: str, chunk: bytes) -> Ingested:
        """Append the decisions of `chunk`, a JSON array as OPA sends it, and return what became of them."""
        require_scope(actor, environment)
        events = _array(chunk)
        read: dict[tuple[str, str], ReceivedRecord] = {}
        aside: list[QuarantinedLine] = []
        repeated = 0
        for event in events:
            try:
                key, record = read_event(
                    event,
                    tenant=actor.tenant,
                    environment=environment,
                    new_id=lambda: self.new_id("dec_"),
                    salt=secrets.token_hex(16),
                )
            except UnreadableEvent as exc:
                line = orjson.dumps(event, option=orjson.OPT_PASSTHROUGH_DATACLASS)
                aside.append(put_aside(line, tenant=actor.tenant, reason=exc.reason))
                continue
            repeated += key in read
            read.setdefault(key, record)
        with self.store.write() as session:
            _require_environment(session, actor, environment)
            now = self.clock()
            fresh = session.opa.remember(actor.tenant, tuple(read), now=now, forget_before=now - REMEMBERED)
            ingested = session.decisions.append(
                actor.tenant, [record for key, record in read.items() if key in fresh], aside, at=now
            )
        known = len(read) - len(fresh) + repeated
        return Ingested(
            stored=ingested.stored, duplicates=ingested.duplicates + known, quarantined=ingested.quarantined
        )

    def status(self, actor: Principal, environment: str, report: Mapping[str, Any]) -> None:
        """Keep what an OPA says of itself. What it lost is said loudly: the log cannot have those decisions."""
        require_scope(actor, environment)
        now = self.clock()
        reported = _instance(report, actor=actor, environment=environment, at=now)
        with self.store.write() as session:
            _require_environment(session, actor, environment)
            before = session.opa.get(actor.tenant, environment, reported.id)
            reported = replace(reported, bundles=_with_highest(reported.bundles, before))
            session.opa.put(reported)
        lost = reported.dropped - (0 if before is None else before.dropped)
        if lost > 0:
            _log.error("opa_decisions_dropped", instance=reported.id, environment=environment, count=lost)

        for bundle in reported.bundles:
            if bundle.drift(0) is Drift.REPLAYED:
                _log.error(
                    "opa_bundle_replayed",
                    instance=reported.id,
                    environment=environment,
                    serial=bundle.serial,
                    highest_serial=bundle.highest_serial,
                )

    def desired(self, actor: Principal) -> dict[str, Desired]:
        """Return what is in force, by environment."""
        found = {}
        with self.serving_store.read() as session:
            for environment in session.environments.all(actor.tenant):
                active = session.activations.at_serial(actor.tenant, environment.id, environment.serial)
                found[environment.id] = Desired(
                    serial=environment.serial,
                    revision=None if active is None else f"{active.serial}+{active.revision}",
                    since=None if active is None else active.created_at,
                )
        return found

    def page(self, actor: Principal, *, after: str | None, limit: int) -> Page[OpaInstance]:
        with self.serving_store.read() as session:
            return session.opa.page(actor.tenant, after=after, limit=limit)

    def lag_s(self, desired: Desired) -> int | None:
        """Return for how long `desired` has been in force."""
        return None if desired.since is None else max(0, int((self.clock() - desired.since).total_seconds()))

    def is_live(self, instance: OpaInstance) -> bool:
        return instance.reported_at >= self.clock() - STALE_AFTER


def _array(chunk: bytes) -> list[Any]:
    try:
        read = orjson.loads(chunk)
    except orjson.JSONDecodeError as exc:
        raise Invalid("body-not-json", "The body is not JSON.") from exc
    if not isinstance(read, list) or len(read) > _MOST_EVENTS:
        raise Invalid("body-invalid", f"The body is not an array of at most {_MOST_EVENTS} decisions.")
    return read


def _require_environment(session: Session, actor: Principal, environment: str) -> None:
    if session.environments.get(actor.tenant, environment) is None:
        raise NotFound("environment-unknown", "There is no such environment.")


def _instance(report: Mapping[str, Any], *, actor: Principal, environment: str, at: datetime) -> OpaInstance:
    labels = report.get("labels")
    instance = labels.get("id") if isinstance(labels, dict) else None
    if not isinstance(labels, dict) or not isinstance(instance, str) or not 0 < len(instance) <= _LONGEST:
        raise Invalid("body-invalid", "The status has no label 'id', by which an OPA is known.")
    bundles = report.get("bundles")
    named = bundles.items() if isinstance(bundles, dict) else ()
    return OpaInstance(
        tenant=actor.tenant,
        environment=environment,
        id=_text(instance) or "",
        version=_text(labels.get("version")) or "",
        bundles=tuple(_bundle(name, held) for name, held in sorted(named)[:_MOST_BUNDLES] if isinstance(held, dict)),
        dropped=_dropped(report.get("metrics")),
        reported_by=actor.id,
        reported_at=at,
    )


def _bundle(name: str, held: Mapping[str, Any]) -> OpaBundle:
    return OpaBundle(
        name=_text(name) or "",
        active_revision=_text(held.get("active_revision")),
        last_success=_text(held.get("last_successful_request")),
        code=_text(held.get("code")),
    )


def _with_highest(bundles: Sequence[OpaBundle], before: OpaInstance | None) -> tuple[OpaBundle, ...]:
    """Return `bundles` with the highest serial that each ever had."""
    known = {} if before is None else {bundle.name: bundle.highest_serial for bundle in before.bundles}
    highest = [max((one for one in (known.get(each.name), each.serial) if one), default=None) for each in bundles]
    return tuple(replace(each, highest_serial=most) for each, most in zip(bundles, highest, strict=True))


def _dropped(metrics: Any) -> int:
    """Return how many decisions were lost, whatever for: the counters of OPA's metrics, wherever they are nested."""
    if isinstance(metrics, dict):
        return sum(
            int(value) if type(value) in {int, float} and name.startswith(_DROPPED) else _dropped(value)
            for name, value in metrics.items()
        )
    return 0


def _text(value: Any) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in value[:_LONGEST])
