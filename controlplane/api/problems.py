# SPDX-License-Identifier: Apache-2.0
"""Problem details (RFC 9457): the one form in which the API says no."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from controlplane.services import errors
from controlplane.services.access import Unauthenticated
from controlplane.services.errors import Problem, Refused
from controlplane.services.idempotency import KeyReused
from controlplane.services.ingestion import Behind, TooLarge

MEDIA_TYPE: Final = "application/problem+json"

# The first that fits decides.
_STATUSES: Final[tuple[tuple[type[Refused], HTTPStatus], ...]] = (
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (Behind, HTTPStatus.TOO_MANY_REQUESTS),
    (KeyReused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.Invalid, HTTPStatus.BAD_REQUEST),
    (errors.NotFound, HTTPStatus.NOT_FOUND),
    (errors.Forbidden, HTTPStatus.FORBIDDEN),
    (errors.Conflict, HTTPStatus.CONFLICT),
    (errors.Gone, HTTPStatus.GONE),
    (errors.TooOften, HTTPStatus.TOO_MANY_REQUESTS),
    (errors.PreconditionMissing, HTTPStatus.PRECONDITION_REQUIRED),
    (errors.PreconditionFailed, HTTPStatus.PRECONDITION_FAILED),
    (errors.Unready, HTTPStatus.SERVICE_UNAVAILABLE),
)


def status_of(refused: Refused) -> HTTPStatus:
    return next((status for kind, status in _STATUSES if isinstance(refused, kind)), HTTPStatus.BAD_REQUEST)


def headers_of(status: int) -> Mapping[str, str]:
    """Return the headers that a refusal of this status owes its caller."""
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return {"WWW-Authenticate": 'Bearer realm="gatehouse"'}
        case HTTPStatus.TOO_MANY_REQUESTS:
            return {"Retry-After": "60"}
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return {"Retry-After": "1"}
        case _:
            return {}


def problem_document(
    *,
    status: int,
    code: str,
    detail: str,
    instance: str,
    request_id: str,
    problems: Sequence[Problem] = (),
) -> dict[str, Any]:
    """Return the document. `code` is stable and for machines, `detail` for people."""
    return {
        "type": f"urn:gatehouse:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "instance": instance,
        "code": code,
        "request_id": request_id,
        "errors": list(map(problem_item, problems)),
    }


def problem_item(problem: Problem) -> dict[str, Any]:
    """Return one entry of `errors`; the members of a place in a source are there where it is about one."""
    item: dict[str, Any] = {"code": problem.code, "pointer": problem.pointer, "message": problem.message}
    if problem.file is not None:
        item |= {"file": problem.file, "line": problem.line, "column": problem.column}
    if problem.fix is not None:
        item["fix"] = problem.fix
    return item
