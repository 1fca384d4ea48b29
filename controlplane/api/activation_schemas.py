# SPDX-License-Identifier: Apache-2.0
"""What is taken and given of activations and environments (`controlplane.api.activations`)."""

from typing import Any, Final

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.fields import MAX_INTEGER, PageQuerySchema, Time, text
from controlplane.services.approval import Word
from controlplane.services.rollout import LEAST_REQUESTS, RolloutState
from policies.bundle.environment import CandidateMode

_HOUR_S: Final = 3600
_MONTH_S: Final = 31 * 24 * _HOUR_S


def _number(least: int, most: int, **arguments: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(min=least, max=most), **arguments)


class ThresholdsSchema(ma.Schema):
    """How much worse than what is in force; null: any."""

    denied_points = _number(0, 100, load_default=None, allow_none=True)
    error_points = _number(0, 100, load_default=None, allow_none=True)
    latency_p95_ms = _number(0, _HOUR_S * 1000, load_default=None, allow_none=True)


class CanarySchema(ma.Schema):
    """One of the two percentages. Without `promote_after_s` somebody promotes it."""

    subjects_percent = _number(0, 100, load_default=None, allow_none=True)
    workers_percent = _number(0, 100, load_default=None, allow_none=True)
    promote_after_s = _number(1, _MONTH_S, load_default=None, allow_none=True)
    thresholds = fields.Nested(ThresholdsSchema, load_default=lambda: ThresholdsSchema().load({}))
    at_least_requests = _number(1, 1_000_000_000, load_default=LEAST_REQUESTS)

    @ma.validates_schema
    def _one_share(self, given: dict[str, Any], **_: Any) -> None:
        if (given.get("subjects_percent") is None) == (given.get("workers_percent") is None):
            raise ma.ValidationError("Give subjects_percent or workers_percent, one of them.")


class BreakGlassSchema(ma.Schema):
    reason = text(required=True, longest=2000)
    minutes = _number(5, 1440, required=True)


class NewActivationSchema(ma.Schema):
    """With `canary`, or mode `observe` or `warn`, the release is tried beside what is in force."""

    release = text(required=True)
    environment = text(required=True)
    mode = fields.Enum(CandidateMode, by_value=True, load_default=CandidateMode.ENFORCE)
    canary = fields.Nested(CanarySchema, load_default=None, allow_none=True)
    not_before = Time(load_default=None, allow_none=True)
    expires_at = Time(load_default=None, allow_none=True)
    acknowledge_within_s = _number(1, _HOUR_S, load_default=None, allow_none=True)
    break_glass = fields.Nested(BreakGlassSchema, load_default=None, allow_none=True)


class RollbackSchema(ma.Schema):
    """Where `from_serial` is not in force any more, nothing is done."""

    from_serial = _number(1, MAX_INTEGER, load_default=None, allow_none=True)


class WorkerSchema(ma.Schema):
    node = fields.String(required=True)
    slot = fields.String(required=True)
    serial = fields.Integer(required=True)
    revision = fields.String(required=True, allow_none=True)
    enforces = fields.Boolean(required=True)
    error = fields.String(required=True, allow_none=True)


class TransitionSchema(ma.Schema):
    """`by` is `system` where nobody asked for it at that moment."""

    at = Time(required=True)
    state = fields.String(required=True)
    by = fields.String(required=True)
    why = fields.String(required=True)


class TallySchema(ma.Schema):
    requests = fields.Integer(required=True)
    denied = fields.Integer(required=True)
    failed = fields.Integer(required=True)


class MeasuredSchema(ma.Schema):
    candidate = fields.Nested(TallySchema, required=True)
    baseline = fields.Nested(TallySchema, required=True)


class ReviewSchema(ma.Schema):
    by = fields.String(required=True)
    at = Time(required=True)
    approved = fields.Boolean(required=True)
    comment = fields.String(required=True)


class NewReviewSchema(ma.Schema):
    verdict = fields.Enum(Word, by_value=True, required=True)
    comment = text(longest=2000, shortest=0, load_default="")


class ActivationsQuerySchema(PageQuerySchema):
    """`review=awaiting` lists those alone that one person put to work and that nobody else looked at."""

    review = fields.String(load_default=None, validate=validate.OneOf(["awaiting"]))


class ActivationSchema(ma.Schema):
    """`serial` is null before it began. `workers` are those of every live node; of a candidate, `enforces` says that
    a worker tries it. `previous_serial` is what a rollback brings back; `rolls_back` is what this activation undid.
    """

    id = fields.String(required=True, attribute="rollout.id")
    environment = fields.String(required=True, attribute="rollout.environment")
    serial = fields.Integer(required=True, allow_none=True, attribute="rollout.serial")
    release = fields.String(required=True, attribute="rollout.release")
    revision = fields.String(required=True, attribute="rollout.revision")
    state = fields.Enum(RolloutState, by_value=True, required=True)
    by = fields.String(required=True, attribute="rollout.by")
    created_at = Time(required=True, attribute="rollout.created_at")
    active_at = Time(required=True, allow_none=True)
    workers = fields.List(fields.Nested(WorkerSchema), required=True)
    mode = fields.Enum(CandidateMode, by_value=True, required=True, attribute="rollout.asked.mode")
    canary = fields.Nested(CanarySchema, required=True, allow_none=True, attribute="rollout.asked.canary")
    not_before = Time(required=True, allow_none=True, attribute="rollout.asked.not_before")
    expires_at = Time(required=True, allow_none=True, attribute="rollout.asked.expires_at")
    acknowledge_within_s = fields.Integer(
        required=True, allow_none=True, attribute="rollout.asked.acknowledge_within_s"
    )
    break_glass = fields.Nested(BreakGlassSchema, required=True, allow_none=True, attribute="rollout.asked.break_glass")
    break_glass_until = Time(required=True, allow_none=True, attribute="rollout.glass_until")
    review = fields.Nested(ReviewSchema, required=True, allow_none=True, attribute="rollout.review")
    awaits_review = fields.Boolean(required=True, attribute="rollout.awaits_review")
    rolls_back = fields.String(required=True, allow_none=True, attribute="rollout.asked.rolls_back")
    previous_serial = fields.Integer(required=True, allow_none=True, attribute="rollout.previous")
    measured = fields.Nested(MeasuredSchema, required=True, allow_none=True)
    history = fields.List(fields.Nested(TransitionSchema), required=True)


class DesiredSchema(ma.Schema):
    activation = fields.String(required=True, attribute="rollout.id")
    serial = fields.Integer(required=True, attribute="rollout.serial")
    release = fields.String(required=True, attribute="rollout.release")
    revision = fields.String(required=True, attribute="rollout.revision")
    state = fields.Enum(RolloutState, by_value=True, required=True)


class TriedSchema(DesiredSchema):
    mode = fields.Enum(CandidateMode, by_value=True, required=True, attribute="rollout.asked.mode")


class EnvironmentSchema(ma.Schema):
    """`desired` is null before the first activation; `enforced` is what every worker of every live node says."""

    id = fields.String(required=True, attribute="environment.id")
    serial = fields.Integer(required=True, attribute="environment.serial")
    epoch = fields.Integer(required=True, attribute="environment.epoch")
    desired = fields.Nested(DesiredSchema, required=True, allow_none=True)
    candidate = fields.Nested(TriedSchema, required=True, allow_none=True)
    enforced = fields.List(fields.Nested(WorkerSchema), required=True, attribute="workers")


class EnvironmentsSchema(ma.Schema):
    items = fields.List(fields.Nested(EnvironmentSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
