# SPDX-License-Identifier: Apache-2.0
"""Every metric of the control plane, once: name, kind, labels, meaning. `docs/reference/metrics.md` is this table."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str


def _family(name: str, kind: Kind, labels: tuple[str, ...], meaning: str) -> Family:
    return Family(name=f"gatehouse_controlplane_{name}", kind=kind, labels=labels, meaning=meaning)


REQUESTS: Final = _family(
    "requests_total",
    Kind.COUNTER,
    ("method", "route", "status"),
    "requests that ended, by the template of their route (`unmatched`: none) and class of status; `none` where the "
    "client went before it had one",
)
REQUEST_SECONDS: Final = _family(
    "request_seconds",
    Kind.HISTOGRAM,
    ("method", "route"),
    "from head to last byte; a parked feed counts up to 30 s",
)
RECORDS: Final = _family(
    "records_total",
    Kind.COUNTER,
    ("outcome",),
    "lines of batches: `stored`, `duplicate` (known already), `quarantined`",
)
MISSING_RECORDS: Final = _family(
    "missing_records_total",
    Kind.COUNTER,
    (),
    "numbers found missing in the sequence of a source; one that arrives after all is not taken off",
)
FEED_WAITERS: Final = _family("feed_waiters", Kind.GAUGE, (), "requests for a feed that are parked now")
RELEASES: Final = _family(
    "releases_total",
    Kind.COUNTER,
    ("outcome",),
    "wishes for a release: `made`, `failed`, or the code of the refusal",
)
ACTIVATIONS: Final = _family(
    "activations_total",
    Kind.COUNTER,
    ("outcome",),
    "wishes for an activation: `made`, `failed`, or the code of the refusal",
)
ACTIVATION_STEPS: Final = _family(
    "activation_steps_total",
    Kind.COUNTER,
    ("state",),
    "steps of activations that this process took, by the state that was reached",
)
BREAK_GLASS: Final = _family(
    "break_glass_total", Kind.COUNTER, (), "releases put to work by one person without the approvals they need"
)
BREAK_GLASS_REVIEWS: Final = _family(
    "break_glass_reviews_total",
    Kind.COUNTER,
    ("verdict",),
    "reviews of those by somebody else: `approved`, or `rejected`, which rolls back what is in force still",
)
STORE_UP: Final = _family("store_up", Kind.GAUGE, (), "1 where the database answered this scrape")
SERIAL: Final = _family(
    "serial",
    Kind.GAUGE,
    ("tenant", "environment"),
    "serial of the last activation; 0 before the first. Absent, as nodes are, while the database does not answer",
)
NODES: Final = _family("nodes", Kind.GAUGE, ("tenant", "environment"), "nodes that ever reported")
STALE_NODES: Final = _family(
    "stale_nodes",
    Kind.GAUGE,
    ("tenant", "environment"),
    "those of them that did not report for 15 s",
)
FINDINGS: Final = _family(
    "posture_findings",
    Kind.GAUGE,
    ("tenant", "environment", "check"),
    "open findings of nodes' checks of themselves; `other` is a check that this release does not know",
)
SINK_LAG: Final = _family(
    "sink_lag_entries",
    Kind.GAUGE,
    ("sink",),
    "entries of the log that a sink has not got yet, as this process last saw it",
)
SINK_LOST: Final = _family(
    "sink_lost_entries", Kind.GAUGE, ("sink",), "entries that retention dropped before the sink had them"
)
SINK_FAILING: Final = _family("sink_failing", Kind.GAUGE, ("sink",), "1 while the sink does not take what is sent")
LOG_LEADER: Final = _family("log_leader", Kind.GAUGE, (), "1 where this process is the sequencer, which signs the log")
LOG_SIGNED_ENTRIES: Final = _family(
    "log_signed_entries", Kind.GAUGE, ("tenant",), "entries under the last checkpoint that this process signed"
)
LOG_SIGNED_AT: Final = _family(
    "log_signed_timestamp_seconds", Kind.GAUGE, ("tenant",), "when it signed that, in seconds since 1970"
)
LOG_ALTERED: Final = _family(
    "log_altered",
    Kind.GAUGE,
    ("tenant",),
    "1 once this process refuses to sign a log, because what is stored is not what was signed",
)
BUILD_INFO: Final = _family("build_info", Kind.GAUGE, ("version",), "1 for the version that runs")

FAMILIES: Final = (
    REQUESTS,
    REQUEST_SECONDS,
    RECORDS,
    MISSING_RECORDS,
    FEED_WAITERS,
    RELEASES,
    ACTIVATIONS,
    ACTIVATION_STEPS,
    BREAK_GLASS,
    BREAK_GLASS_REVIEWS,
    STORE_UP,
    SERIAL,
    NODES,
    STALE_NODES,
    FINDINGS,
    SINK_LAG,
    SINK_LOST,
    SINK_FAILING,
    LOG_LEADER,
    LOG_SIGNED_ENTRIES,
    LOG_SIGNED_AT,
    LOG_ALTERED,
    BUILD_INFO,
)
