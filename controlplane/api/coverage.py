# SPDX-License-Identifier: Apache-2.0
"""Tests of policies and the rules they cover: of documents that are sent, and of releases."""

from typing import Any

import marshmallow as ma
from marshmallow import fields

from controlplane.api.endpoint import SOURCE_BODY_BYTES, Resource
from controlplane.api.fields import ProblemItemSchema
from controlplane.api.guard import caller, plane
from controlplane.api.policies import DocumentsSchema, files_of
from controlplane.api.problems import problem_item
from controlplane.api.releases import PolicyTestSchema
from controlplane.authz.permissions import Permission
from controlplane.services.errors import Invalid
from controlplane.services.release_tests import coverage_json

resource = Resource("coverage", __name__, url_prefix="/v1", description="Tests of policies, and the rules they cover.")


class PolicyRuleSchema(ma.Schema):
    """`tests` are the passing tests that tried the rule, each as `POLICY: NAME`."""

    policy = fields.String(required=True)
    rule = fields.String(required=True)
    pointer = fields.String(required=True)
    mode = fields.String(required=True)
    tests = fields.List(fields.String(), required=True)


class CoverageSchema(ma.Schema):
    """`uncovered` are the rules of enforcing policies that no passing test tried."""

    rules = fields.Integer(required=True)
    covered = fields.Integer(required=True)
    uncovered = fields.List(fields.Nested(PolicyRuleSchema), required=True)
    items = fields.List(fields.Nested(PolicyRuleSchema), required=True)


class PolicyTrialSchema(ma.Schema):
    """`compiled` is false where the documents make no release: `diagnostics` say why, and no test was run."""

    compiled = fields.Boolean(required=True)
    diagnostics = fields.List(fields.Nested(ProblemItemSchema), required=True)
    revision = fields.String(required=True, allow_none=True)
    passed = fields.Integer(required=True)
    failed = fields.Integer(required=True)
    tests = fields.List(fields.Nested(PolicyTestSchema), required=True)
    coverage = fields.Nested(CoverageSchema, required=True)


@resource.endpoint(
    "POST",
    "/policies:test",
    takes_key=False,
    permission=Permission.POLICIES_VALIDATE,
    body=DocumentsSchema,
    gives=PolicyTrialSchema,
    max_body_bytes=4 * SOURCE_BODY_BYTES,
)
def try_documents(body: dict[str, Any]) -> dict[str, Any]:
    """Compile documents as one release, run their tests, tell which rules they cover. Stores nothing."""
    try:
        tried = plane().policies.try_out(caller(), files_of(body))
    except Invalid as exc:
        return {
            "compiled": False,
            "diagnostics": list(map(problem_item, exc.problems)),
            "revision": None,
            "passed": 0,
            "failed": 0,
            "tests": [],
            "coverage": coverage_json(()),
        }
    return {
        "compiled": True,
        "diagnostics": [],
        "revision": tried.snapshot.revision,
        "passed": len(tried.tests) - len(tried.failed),
        "failed": len(tried.failed),
        "tests": tried.tests,
        "coverage": coverage_json(tried.coverage),
    }


@resource.endpoint(
    "GET",
    "/policy-sets/<policy_set>/releases/<release_id>/coverage",
    permission=Permission.RELEASES_READ,
    gives=CoverageSchema,
)
def get_coverage(policy_set: str, release_id: str) -> dict[str, Any]:
    """Get the rules of a release, and which tests tried each when it was made."""
    return coverage_json(plane().releases.coverage(caller(), policy_set, release_id))
