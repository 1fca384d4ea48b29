# SPDX-License-Identifier: Apache-2.0
"""The Flask application: every resource of the API, behind one guard."""

from typing import Final

from flask import Flask

from controlplane.api import (
    activations,
    admin_events,
    agents,
    aggregates,
    api_keys,
    approvals,
    audit,
    blocked_subjects,
    content,
    coverage,
    decisions,
    docs,
    environment_rules,
    erasures,
    errors,
    evidence_packs,
    explanations,
    exports,
    fleet,
    gates,
    guard,
    health,
    legal_holds,
    lookups,
    opa_intake,
    operations,
    point_in_time,
    policies,
    policy_schemas,
    records,
    redactions,
    releases,
    replays,
    retention,
    revocations,
    roles,
    tenants,
    tlog,
)
from controlplane.api.endpoint import IdConverter, RevisionConverter
from controlplane.api.errors import ProblemApi
from controlplane.api.evaluation_docs import with_evaluations
from controlplane.api.openapi import DOCUMENT, SECURITY, with_feeds
from controlplane.bootstrap import ControlPlane

# In the order in which the documentation shows them.
RESOURCES: Final = (
    policies.resource,
    policy_schemas.resource,
    redactions.resource,
    releases.resource,
    approvals.resource,
    gates.resource,
    coverage.resource,
    activations.resource,
    environment_rules.resource,
    point_in_time.resource,
    decisions.resource,
    aggregates.resource,
    exports.resource,
    evidence_packs.resource,
    replays.resource,
    explanations.resource,
    operations.resource,
    content.resource,
    lookups.resource,
    records.resource,
    agents.resource,
    fleet.resource,
    opa_intake.resource,
    api_keys.resource,
    blocked_subjects.resource,
    revocations.resource,
    erasures.resource,
    legal_holds.resource,
    retention.resource,
    roles.resource,
    tenants.resource,
    admin_events.resource,
    audit.resource,
    tlog.resource,
    health.resource,
)


def create_app(plane: ControlPlane, *, url: str) -> Flask:
    """Return the application over `plane`; `url` is its public origin.

    Raises LookupError where an endpoint declares no permission.
    """
    app = Flask("gatehouse", static_folder=None, template_folder=f"{__file__.removesuffix('app.py')}api/templates")
    app.config.update(
        API_TITLE="Gatehouse",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        PROVIDE_AUTOMATIC_OPTIONS=False,
        MAX_CONTENT_LENGTH=0,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the default provider
    app.url_map.converters |= {"revision": RevisionConverter, "id": IdConverter}
    guard.install(app, plane)
    api = ProblemApi(app, spec_kwargs={"servers": [{"url": url}]})
    errors.install(app)
    api.spec.components.security_scheme("token", SECURITY["token"])
    for resource in RESOURCES:
        api.register_blueprint(resource)
    docs.install(app)
    app.extensions[DOCUMENT] = with_evaluations(with_feeds(api.spec.to_dict()))
    guard.refuse_unguarded(app)
    return app
