# SPDX-License-Identifier: Apache-2.0
"""/v1/environments/{environment}/rules: what an environment demands of a change, and of its nodes."""

from typing import Any, Final

import marshmallow as ma
from flask import request
from marshmallow import fields, validate

from controlplane.api.endpoint import Resource
from controlplane.api.fields import Time, Truth, text
from controlplane.api.guard import caller, plane
from controlplane.authz.permissions import Permission
from controlplane.services.environment_rules import MAY_APPROVE, EnvironmentRules, KeptRules, WhenStale
from controlplane.services.preconditions import IfMatch

resource = Resource("environment-rules", __name__, url_prefix="/v1", description="What environments demand.")

_MOST_APPROVALS: Final = 10
_HOUR_S: Final = 3600
_YEAR_S: Final = 366 * 24 * _HOUR_S
_DEFAULTS: Final = EnvironmentRules()


def _seconds(*, most: int, **arguments: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(min=1, max=most), **arguments)


class RulesSchema(ma.Schema):
    """What is left out is as its default. `max_staleness_s` null: nodes serve for ever what they last had."""

    approvals_required = fields.Integer(
        strict=True, load_default=_DEFAULTS.approvals_required, validate=validate.Range(min=1, max=_MOST_APPROVALS)
    )
    approver_roles = fields.List(
        fields.String(validate=validate.OneOf([role.value for role in MAY_APPROVE])),
        load_default=list(_DEFAULTS.approver_roles),
        validate=validate.Length(min=1, max=len(MAY_APPROVE)),
    )
    promote_from = text(load_default=None, allow_none=True)
    gate_suite = Truth(load_default=_DEFAULTS.gate_suite)
    gate_must_refuse = Truth(load_default=_DEFAULTS.gate_must_refuse)
    untested_needs_reason = Truth(load_default=_DEFAULTS.untested_needs_reason)
    acknowledge_within_s = _seconds(most=_HOUR_S, load_default=_DEFAULTS.acknowledge_within_s)
    max_staleness_s = _seconds(most=_YEAR_S, load_default=None, allow_none=True)
    when_stale = fields.Enum(WhenStale, by_value=True, load_default=_DEFAULTS.when_stale)
    posture_every_s = _seconds(most=24 * _HOUR_S, load_default=_DEFAULTS.posture_every_s)


class KeptRulesSchema(ma.Schema):
    """`version` 0, with nobody in `set_by`: nobody set any, and the rules are those of before there were rules."""

    environment = fields.String(required=True)
    version = fields.Integer(required=True)
    set_by = fields.String(required=True)
    set_at = Time(required=True, allow_none=True)
    rules = fields.Nested(RulesSchema, required=True)


@resource.endpoint(
    "GET",
    "/environments/<environment>/rules",
    permission=Permission.ENVIRONMENT_RULES_READ,
    gives=KeptRulesSchema,
    gives_headers=("ETag",),
)
def get_rules(environment: str) -> tuple[KeptRules, dict[str, str]]:
    """Get the rules of an environment. The ETag is their version, `"0"` where nobody set any."""
    return _shown(plane().rule_book.get(caller(), environment))


@resource.endpoint(
    "PUT",
    "/environments/<environment>/rules",
    permission=Permission.ENVIRONMENT_RULES_WRITE,
    body=RulesSchema,
    gives=KeptRulesSchema,
    needs_if_match=True,
    gives_headers=("ETag",),
)
def set_rules(body: dict[str, Any], environment: str) -> tuple[KeptRules, dict[str, str]]:
    """Replace the rules of an environment. Needs If-Match with their ETag. They count at once."""
    rules = EnvironmentRules(**body | {"approver_roles": tuple(sorted(set(body["approver_roles"])))})
    if_match = IfMatch.parse(request.headers.get("If-Match"))
    return _shown(plane().rule_book.put(caller(), environment, rules, if_match=if_match))


def _shown(kept: KeptRules) -> tuple[KeptRules, dict[str, str]]:
    return kept, {"ETag": f'"{kept.version}"'}
