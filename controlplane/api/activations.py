# SPDX-License-Identifier: Apache-2.0
"""/v1/activations and /v1/environments: what is put to work, and what each worker enforces."""

from contextlib import nullcontext
from typing import Any

import structlog
from flask import request

from controlplane.api.activation_schemas import (
    ActivationSchema,
    ActivationsQuerySchema,
    EnvironmentSchema,
    EnvironmentsSchema,
    NewActivationSchema,
    NewReviewSchema,
    RollbackSchema,
)
from controlplane.api.endpoint import Resource
from controlplane.api.fields import ValidateOnlySchema, page_schema
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission
from controlplane.services.activation_views import ActivationView, EnvironmentView
from controlplane.services.approval import Word
from controlplane.services.preconditions import IfMatch
from controlplane.services.rollout import Asked, BreakGlass, Canary, Thresholds

_log = structlog.get_logger("gatehouse.api")
resource = Resource("activations", __name__, url_prefix="/v1", description="Activations, and what is enforced where.")


@resource.endpoint(
    "POST",
    "/activations",
    permission=Permission.ACTIVATIONS_WRITE,
    status=201,
    body=NewActivationSchema,
    query=ValidateOnlySchema,
    gives=ActivationSchema,
    validates=True,
    needs_if_match=True,
    gives_headers=("Location",),
)
def activate(body: dict[str, Any], query: dict[str, Any]) -> tuple[ActivationView, int, dict[str, str]]:
    """Put a release to work: at once, in part, later, or for a while. Needs If-Match with the environment's ETag.

    With `validate_only=true` nothing is changed, and the answer (200) is the activation that would have been made: its
    `id` is empty, it has no `serial` and no history, and `state` is the one that it would take at once.
    """
    actor, glass, only = caller(), body["break_glass"], query["validate_only"] == "true"
    with nullcontext() if only else plane().metrics.activation():
        if glass is not None:
            plane().access.authorize(actor, Permission.ACTIVATIONS_BREAK_GLASS)
        made = plane().activations.activate(
            actor,
            release_id=body["release"],
            environment=body["environment"],
            if_match=IfMatch.parse(request.headers.get("If-Match")),
            asked=Asked(
                mode=body["mode"],
                canary=_canary(body["canary"]),
                not_before=body["not_before"],
                expires_at=body["expires_at"],
                acknowledge_within_s=body["acknowledge_within_s"],
                break_glass=None if glass is None else BreakGlass(**glass),
            ),
            validate_only=only,
        )
    if only:
        return made, 200, {}
    if glass is not None:
        plane().metrics.glass_broken()
        _log.warning(
            "break_glass_used",
            activation=made.rollout.id,
            environment=made.rollout.environment,
            principal=actor.id,
            minutes=glass["minutes"],
        )
    return made, 201, {"Location": f"/v1/activations/{made.rollout.id}"}


@resource.endpoint(
    "POST",
    "/activations/<activation_id>:promote",
    permission=Permission.ACTIVATIONS_WRITE,
    gives=ActivationSchema,
)
def promote_activation(activation_id: str) -> ActivationView:
    """Put a candidate in force for everybody."""
    return plane().activations.promote(caller(), activation_id)


@resource.endpoint(
    "POST",
    "/activations/<activation_id>:rollback",
    permission=Permission.ACTIVATIONS_WRITE,
    gives=ActivationSchema,
)
def roll_back_activation(activation_id: str) -> ActivationView:
    """End a candidate, or put what was in force before an activation back to work. Again: nothing changes."""
    return plane().activations.roll_back(caller(), activation_id)


@resource.endpoint(
    "POST",
    "/activations/<activation_id>:cancel",
    permission=Permission.ACTIVATIONS_WRITE,
    gives=ActivationSchema,
)
def cancel_activation(activation_id: str) -> ActivationView:
    """End what is scheduled, or a candidate. Again: nothing changes."""
    return plane().activations.cancel(caller(), activation_id)


@resource.endpoint(
    "POST",
    "/activations/<activation_id>/review",
    permission=Permission.ACTIVATIONS_WRITE,
    body=NewReviewSchema,
    gives=ActivationSchema,
)
def review_activation(body: dict[str, Any], activation_id: str) -> ActivationView:
    """Say afterwards what a break-glass of somebody else was worth: rejected, it is rolled back at once."""
    actor, approved = caller(), body["verdict"] is Word.APPROVE
    reviewed = plane().activations.review(actor, activation_id, approved=approved, comment=body["comment"])
    plane().metrics.glass_reviewed(approved=approved)
    _log.warning("break_glass_reviewed", activation=activation_id, principal=actor.id, approved=approved)
    return reviewed


@resource.endpoint(
    "POST",
    "/environments/<environment>:rollback",
    permission=Permission.ACTIVATIONS_WRITE,
    body=RollbackSchema,
    gives=ActivationSchema,
)
def roll_back_environment(body: dict[str, Any], environment: str) -> ActivationView:
    """Put what was in force before back to work, at once and by one person. Gives what is in force then.

    If-Match may be sent, and need not: state `from_serial` instead, and a race changes nothing twice.
    """
    given = request.headers.get("If-Match")
    if_match = None if given is None else IfMatch.parse(given)
    return plane().activations.roll_back_environment(
        caller(), environment, from_serial=body["from_serial"], if_match=if_match
    )


@resource.endpoint(
    "GET",
    "/activations",
    permission=Permission.ACTIVATIONS_READ,
    query=ActivationsQuerySchema,
    gives=page_schema(ActivationSchema),
)
def list_activations(query: dict[str, Any]) -> dict[str, Any]:
    """List the activations, the oldest first."""
    awaiting = query["review"] is not None
    found = plane().activations.page(caller(), awaiting_review=awaiting, after=after_of(query), limit=limit_of(query))
    return page_of(found)


@resource.endpoint(
    "GET",
    "/activations/<activation_id>",
    permission=Permission.ACTIVATIONS_READ,
    gives=ActivationSchema,
)
def get_activation(activation_id: str) -> ActivationView:
    """Get one activation with the acknowledgement of each worker."""
    return plane().activations.get(caller(), activation_id)


@resource.endpoint("GET", "/environments", permission=Permission.ACTIVATIONS_READ, gives=EnvironmentsSchema)
def list_environments() -> dict[str, Any]:
    """List the environments."""
    return {"items": plane().activations.environments(caller()), "next_cursor": None}


@resource.endpoint(
    "GET",
    "/environments/<environment>",
    permission=Permission.ACTIVATIONS_READ,
    gives=EnvironmentSchema,
    gives_headers=("ETag",),
)
def get_environment(environment: str) -> tuple[EnvironmentView, dict[str, str]]:
    """Get what is desired and what is enforced. The ETag is the serial, `"0"` before the first activation."""
    found = plane().activations.environment(caller(), environment)
    return found, {"ETag": f'"{found.environment.serial}"'}


def _canary(given: dict[str, Any] | None) -> Canary | None:
    return None if given is None else Canary(**given | {"thresholds": Thresholds(**given["thresholds"])})
