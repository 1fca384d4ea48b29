# SPDX-License-Identifier: Apache-2.0
"""/v1/agents: the proxy nodes, what they report and what is known of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, Time, count, page_schema, text
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission
from controlplane.services.errors import Invalid, Problem
from controlplane.services.model import (
    DEFAULT_ENVIRONMENT,
    Agent,
    Page,
    RejectedBundle,
    SpoolStatus,
    WorkerStatus,
)
from controlplane.services.posture import CheckResult, PostureResult
from controlplane.services.records import SourceClaim, SourceReading

resource = Resource("agents", __name__, url_prefix="/v1", description="The proxy nodes.")

_MAX_WORKERS = 1024
_MAX_SOURCES = 16 * _MAX_WORKERS
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_CHECKS = 32
# What a check is called, and what it came to: a word, never a text of anybody.
_code = validate.Regexp(r"\A[a-z0-9-]{1,64}\Z")
# Printable, and without a space: it stands in page keys and in paths.
_name = validate.Regexp(r"\A[\x21-\x7e]{1,256}\Z")


class WorkerStatusSchema(ma.Schema):
    slot = fields.Raw(required=True, metadata={"type": ["string", "integer"]})
    pid = count(load_default=None, allow_none=True)
    serial = count(required=True, allow_none=True)
    revision = text(load_default=None, allow_none=True, shortest=0)
    epoch = count(required=True, allow_none=True)
    error = text(load_default=None, allow_none=True, longest=2000, shortest=0)
    candidate_serial = count(load_default=None, allow_none=True)
    failed_serial = count(load_default=None, allow_none=True)
    revocations_epoch = count(load_default=None, allow_none=True)
    candidate_error = text(load_default=None, allow_none=True, longest=2000, shortest=0)


class SpoolStatusSchema(ma.Schema):
    depth_records = count(required=True)
    oldest_s = fields.Integer(required=True, allow_none=True, validate=validate.Range(min=0, max=2**53 - 1))
    shipped = count(required=True)


class RejectedBundleSchema(ma.Schema):
    code = text(required=True)
    etag = text(load_default=None, allow_none=True, shortest=0)


class PostureResultSchema(ma.Schema):
    """What a check came to; `detail` is a code."""

    check = fields.String(required=True, validate=_code)
    result = fields.Enum(CheckResult, by_value=True, required=True)
    detail = fields.String(required=True, validate=_code)
    at = Time(required=True)


class SourceClaimSchema(ma.Schema):
    id = fields.String(required=True, validate=_name)
    boot_id = fields.String(required=True, validate=_name)
    last_seq = count(required=True)
    ended = fields.Boolean(required=True)


class SourceSchema(ma.Schema):
    """What the log knows of a source: `missing` numbers of its records are in gaps that nothing has closed."""

    id = fields.String(required=True, attribute="source_id")
    boots = fields.Integer(required=True)
    missing = fields.Integer(required=True)
    last_seen_at = Time(required=True)


class StatusSchema(ma.Schema):
    """What a node says of itself. `serial` and `epoch` are 0 where there is none yet.

    `environment_number` is that of the environment document that it follows, and a worker's `candidate_serial` and
    `candidate_error` say which candidate of it is tried, or why not. `failed_serial` is the bundle that `error` is of.

    `sources` are the numbers that its processes gave last: what has not arrived after a while is missing. `posture` is
    what its checks of itself last came to; a finding is open from the first failure of a check until it passes.
    """

    node_id = fields.String(required=True, validate=_name)
    environment = fields.String(load_default=DEFAULT_ENVIRONMENT, validate=_name)
    version = text(required=True)
    workers = fields.List(
        fields.Nested(WorkerStatusSchema),
        required=True,
        validate=validate.Length(max=_MAX_WORKERS),
    )
    spool = fields.Nested(SpoolStatusSchema, load_default=None, allow_none=True)
    guard_engine = text(required=True, shortest=0)
    rejected_bundle = fields.Nested(RejectedBundleSchema, load_default=None, allow_none=True)
    environment_number = count(load_default=None, allow_none=True)
    sources = fields.List(
        fields.Nested(SourceClaimSchema), load_default=list, validate=validate.Length(max=_MAX_SOURCES)
    )
    posture = fields.List(
        fields.Nested(PostureResultSchema), load_default=list, validate=validate.Length(max=_MAX_CHECKS)
    )


class AcceptedSchema(ma.Schema):
    accepted = fields.Boolean(required=True)


class AgentSchema(ma.Schema):
    id = fields.String(required=True)
    environment = fields.String(required=True)
    version = fields.String(required=True)
    guard_engine = fields.String(required=True)
    live = fields.Boolean(required=True)
    reported_at = Time(required=True)
    workers = fields.List(fields.Nested(WorkerStatusSchema), required=True)
    spool = fields.Nested(SpoolStatusSchema, required=True, allow_none=True)
    rejected_bundle = fields.Nested(RejectedBundleSchema, required=True, allow_none=True)
    environment_number = count(required=True, allow_none=True)
    sources = fields.List(fields.Nested(SourceSchema), required=True)


class AgentQuerySchema(ma.Schema):
    environment = fields.String(load_default=DEFAULT_ENVIRONMENT, validate=_name)


@resource.endpoint(
    "POST",
    "/agents/<node_id>/status",
    takes_key=False,
    permission=Permission.AGENTS_REPORT,
    body=StatusSchema,
    gives=AcceptedSchema,
    max_body_bytes=1024 * 1024,
)
def report_status(body: dict[str, Any], node_id: str) -> dict[str, bool]:
    """Report a node's own status."""
    if body["node_id"] != node_id:
        wrong = Problem(code="node-differs", message="Not the node of the path.", pointer="/node_id")
        raise Invalid("node-differs", "A node reports for itself only.", problems=(wrong,))
    actor = caller()
    gaps = plane().fleet.report(
        actor,
        Agent(
            tenant=actor.tenant,
            environment=body["environment"],
            id=node_id,
            version=body["version"],
            guard_engine=body["guard_engine"],
            workers=_workers(body["workers"]),
            spool=None
            if body["spool"] is None
            else SpoolStatus(**(body["spool"] | {"oldest_s": body["spool"]["oldest_s"] or 0})),
            rejected_bundle=None if body["rejected_bundle"] is None else RejectedBundle(**body["rejected_bundle"]),
            reported_by=actor.id,
            reported_at=_NEVER,
            environment_number=body["environment_number"],
        ),
        claims=_claims(body["sources"], node_id, body["environment"]),
        posture=_posture(body["posture"]),
    )
    plane().metrics.missing(gaps)
    return {"accepted": True}


@resource.endpoint(
    "GET",
    "/agents",
    permission=Permission.AGENTS_READ,
    query=PageQuerySchema,
    gives=page_schema(AgentSchema),
)
def list_agents(query: dict[str, Any]) -> dict[str, Any]:
    """List the nodes that ever reported."""
    page = plane().fleet.page(caller(), after=after_of(query), limit=limit_of(query))
    sources = plane().fleet.sources(caller())
    items = tuple(_item(agent, sources) for agent in page.items)
    return page_of(Page(items=items, next_key=page.next_key))


@resource.endpoint(
    "GET",
    "/agents/<node_id>",
    permission=Permission.AGENTS_READ,
    query=AgentQuerySchema,
    gives=AgentSchema,
)
def get_agent(query: dict[str, Any], node_id: str) -> dict[str, Any]:
    """Get one node."""
    return _item(plane().fleet.get(caller(), query["environment"], node_id), plane().fleet.sources(caller()))


def _workers(reported: list[dict[str, Any]]) -> tuple[WorkerStatus, ...]:
    slots = [worker["slot"] for worker in reported]
    if not all(type(slot) in {str, int} and 0 < len(str(slot)) <= 64 for slot in slots):  # noqa: PLR2004  # a name's length
        raise _slot_problem("A slot is a name or a number.")
    if len(set(map(str, slots))) != len(slots):
        raise _slot_problem("Two workers have one slot.")
    return tuple(
        WorkerStatus(
            slot=str(worker["slot"]),
            pid=worker["pid"],
            serial=worker["serial"] or 0,
            revision=worker["revision"] or None,
            epoch=worker["epoch"] or 0,
            error=worker["error"] or None,
            failed_serial=worker["failed_serial"],
            candidate_serial=worker["candidate_serial"],
            revocations_epoch=worker["revocations_epoch"],
            candidate_error=worker["candidate_error"] or None,
        )
        for worker in reported
    )


def _claims(claimed: list[dict[str, Any]], node_id: str, environment: str) -> tuple[SourceClaim, ...]:
    """Return what a node claims. It speaks for its own sources: a claim for another's would be an alarm about it."""
    if not all(claim["id"].startswith(f"{node_id}/") for claim in claimed):
        wrong = Problem(code="node-differs", message="Not a source of this node.", pointer="/sources")
        raise Invalid("node-differs", "A node reports for itself only.", problems=(wrong,))
    return tuple(
        SourceClaim(
            source_id=claim["id"], boot_id=claim["boot_id"], environment=environment, last_seq=claim["last_seq"]
        )
        for claim in claimed
    )


def _posture(reported: list[dict[str, Any]]) -> tuple[PostureResult, ...]:
    if len({each["check"] for each in reported}) != len(reported):
        wrong = Problem(code="body-invalid", message="A check is there twice.", pointer="/posture")
        raise Invalid("body-invalid", "The body is not what this endpoint takes.", problems=(wrong,))
    return tuple(PostureResult(**each) for each in reported)


def _slot_problem(message: str) -> Invalid:
    return Invalid(
        "body-invalid",
        "The body is not what this endpoint takes.",
        problems=(Problem(code="body-invalid", message=message, pointer="/workers"),),
    )


def _item(agent: Agent, sources: Sequence[SourceReading]) -> dict[str, Any]:
    return {
        "id": agent.id,
        "environment": agent.environment,
        "version": agent.version,
        "guard_engine": agent.guard_engine,
        "live": plane().fleet.is_live(agent),
        "reported_at": agent.reported_at,
        "workers": agent.workers,
        "spool": agent.spool,
        "rejected_bundle": agent.rejected_bundle,
        "environment_number": agent.environment_number,
        "sources": [source for source in sources if source.source_id.rpartition("/")[0] == agent.id],
    }
