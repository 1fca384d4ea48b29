# SPDX-License-Identifier: Apache-2.0
"""Every metric of a node, once: its name, kind, labels and meaning. `docs/reference/metrics.md` is this table."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """`counted_by_workers`: summed over all workers the node ever had, so that it never goes backwards."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    counted_by_workers: bool = False


def _worker(name: str, kind: Kind, labels: tuple[str, ...], meaning: str) -> Family:
    return Family(name=name, kind=kind, labels=labels, meaning=meaning, counted_by_workers=True)


def _node(name: str, kind: Kind, labels: tuple[str, ...], meaning: str) -> Family:
    return Family(name=name, kind=kind, labels=labels, meaning=meaning)


FAMILIES: Final = (
    _worker(
        "gatehouse_requests_total",
        Kind.COUNTER,
        ("operation", "outcome", "reason", "verdict"),
        "exchanges that ended; `reason` is empty where the answer was passed on",
    ),
    _worker(
        "gatehouse_model_decisions_total",
        Kind.COUNTER,
        ("model",),
        "decisions on a model; `other` is every model that no grant names",
    ),
    _worker("gatehouse_findings_total", Kind.COUNTER, ("detector",), "findings in answers"),
    _worker(
        "gatehouse_stage_seconds",
        Kind.HISTOGRAM,
        ("stage",),
        "`head`: first byte to identity and route; `decide`; `guard`: where it was asked; `upstream`: request to first "
        "byte; `record`: wait for the disk; `first_byte` and `total`: until the client got it",
    ),
    _worker("gatehouse_guard_answers_reused_total", Kind.COUNTER, (), "decisions that reused a guard's answer"),
    _worker(
        "gatehouse_candidate_judged_total",
        Kind.COUNTER,
        ("effect", "differs"),
        "requests that a candidate judged beside, and whether it says something else than the policy in force",
    ),
    _worker("gatehouse_upstream_failures_total", Kind.COUNTER, ("code",), "exchanges that the upstream failed"),
    _worker(
        "gatehouse_screen_questions_total",
        Kind.COUNTER,
        ("outcome",),
        "questions to the prompt screen: `answered`, `incomplete`, or why there was no answer",
    ),
    _worker("gatehouse_screen_seconds", Kind.HISTOGRAM, (), "time that those took which were sent"),
    _worker("gatehouse_received_bytes_total", Kind.COUNTER, (), "body bytes from clients"),
    _worker("gatehouse_sent_bytes_total", Kind.COUNTER, (), "body bytes to clients"),
    _worker("gatehouse_spool_flush_seconds", Kind.HISTOGRAM, (), "one write and `fdatasync` of records"),
    _worker("gatehouse_records_lost_total", Kind.COUNTER, (), "records that could not be written, now or later"),
    _worker("gatehouse_spool_scarce", Kind.GAUGE, (), "spools that have only their reserve left: requests are refused"),
    _worker("gatehouse_connections_refused_total", Kind.COUNTER, (), "connections beyond the bound"),
    _worker("gatehouse_connections", Kind.GAUGE, (), "open connections of clients"),
    _worker("gatehouse_requests_in_flight", Kind.GAUGE, (), "exchanges that have not ended"),
    _worker("gatehouse_upstream_connections", Kind.GAUGE, (), "open connections to the upstream"),
    _worker("gatehouse_upstream_connections_idle", Kind.GAUGE, (), "those of them without a request"),
    _node("gatehouse_worker_up", Kind.GAUGE, ("slot",), "1 where the slot's worker answered this scrape"),
    _node("gatehouse_worker_ready", Kind.GAUGE, ("slot",), "1 where it takes connections"),
    _node("gatehouse_worker_starts_total", Kind.COUNTER, ("slot",), "processes started for the slot"),
    _node("gatehouse_worker_hangs_total", Kind.COUNTER, ("slot",), "workers killed because they did not answer"),
    _node("gatehouse_policy_serial", Kind.GAUGE, ("slot",), "serial of the bundle that the worker enforces"),
    _node("gatehouse_policy_info", Kind.GAUGE, ("slot", "revision"), "1 for the revision that the worker enforces"),
    _node("gatehouse_policy_rejected", Kind.GAUGE, ("code",), "1 where the newest bundle could not be put to work"),
    _node("gatehouse_policy_stale", Kind.GAUGE, (), "1 where nobody confirmed it for too long"),
    _node("gatehouse_policy_stale_refused", Kind.GAUGE, (), "1 where workers refuse for that; else they go on"),
    _node("gatehouse_environment_number", Kind.GAUGE, (), "number of the environment document; absent without one"),
    _node("gatehouse_environment_rejected", Kind.GAUGE, ("code",), "1 where the newest document was refused"),
    _node("gatehouse_candidate_serial", Kind.GAUGE, ("slot",), "serial of the candidate that the worker tries"),
    _node("gatehouse_credentials_epoch", Kind.GAUGE, ("slot",), "epoch of the credentials that the worker uses"),
    _node("gatehouse_revocations_epoch", Kind.GAUGE, ("slot",), "epoch of the revocations that the worker enforces"),
    _node("gatehouse_feed_up", Kind.GAUGE, ("feed",), "1 where the control plane answered the last question"),
    _node(
        "gatehouse_feed_age_seconds",
        Kind.GAUGE,
        ("feed",),
        "time since it last answered; up to 30 while it holds a question. Absent before its first answer",
    ),
    _node("gatehouse_opa_up", Kind.GAUGE, (), "1 where the OPA of the bundle in force answers; absent if embedded"),
    _node("gatehouse_spool_records", Kind.GAUGE, (), "records that the control plane has not acknowledged"),
    _node("gatehouse_spool_bytes", Kind.GAUGE, (), "bytes of their files"),
    _node("gatehouse_spool_oldest_seconds", Kind.GAUGE, (), "age of the oldest of them"),
    _node("gatehouse_shipping_refused", Kind.GAUGE, (), "1 where the control plane takes nothing from this node"),
    _node("gatehouse_records_set_aside", Kind.GAUGE, (), "records in `quarantine`: the control plane refuses them"),
    _node("gatehouse_spool_corrupt_total", Kind.COUNTER, (), "damaged segments of spools, kept as `.corrupt`"),
    _node("gatehouse_requests_lost_total", Kind.COUNTER, (), "requests of dead workers, recorded as `worker-lost`"),
    _node("gatehouse_records_shipped_total", Kind.COUNTER, (), "records acknowledged since the node's start"),
)
BY_NAME: Final = {family.name: family for family in FAMILIES}
