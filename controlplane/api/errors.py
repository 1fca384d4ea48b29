# SPDX-License-Identifier: Apache-2.0
"""Turn whatever was raised into problem details. What was not foreseen says nothing but its request id."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

import structlog
from flask import Flask, Response, json, request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from controlplane.api.fields import ProblemSchema
from controlplane.api.guard import request_id
from controlplane.api.problems import MEDIA_TYPE, headers_of, problem_document, status_of
from controlplane.services.errors import Problem, Refused, StoreUnavailable
from controlplane.services.idempotency import InFlight
from controlplane.services.ingestion import Behind

_CODES: Final = {
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
    HTTPStatus.LENGTH_REQUIRED: "length-required",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body-too-large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "media-type-not-permitted",
}
_log = structlog.get_logger("gatehouse.api")


class ProblemApi(Api):  # type: ignore[misc]  # flask_smorest has no types
    """flask-smorest's Api, refusing in problem details."""

    ERROR_SCHEMA = ProblemSchema

    def handle_http_exception(self, error: HTTPException) -> Response:
        status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
        kept = {name: value for name, value in error.get_headers() if name in {"Allow", "Location"}}
        if status < HTTPStatus.BAD_REQUEST:
            return Response(status=status, headers=kept)
        if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            status = HTTPStatus.BAD_REQUEST
        code = _CODES.get(HTTPStatus(status), "request-invalid")
        return _answer(status=status, code=code, detail=str(error.description or ""), headers=kept)


def install(app: Flask) -> None:
    """Answer every error of `app` in problem details."""
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(StoreUnavailable, _unavailable)
    app.register_error_handler(Exception, _unforeseen)


def _refused(refused: Refused) -> Response:
    return _answer(
        status=status_of(refused),
        code=refused.code,
        detail=refused.detail,
        problems=refused.problems,
        # A place is free, and a first try done, within a moment, unlike what is refused for being asked for too often.
        headers={"Retry-After": "1"} if isinstance(refused, Behind | InFlight) else None,
    )


def _unavailable(problem: StoreUnavailable) -> Response:
    _log.error("store_unavailable", request_id=request_id(), problem=str(problem))
    return _answer(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        code="store-unavailable",
        detail="The store could not do its work now; nothing was changed. Try again.",
    )


def _unforeseen(problem: Exception) -> Response:
    # The type and the place, not the text: a driver's message may hold what was being stored.
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = None if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    _log.error("request_failed", request_id=request_id(), error=type(problem).__name__, place=place)
    return _answer(
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        code="internal-error",
        detail="Something went wrong here. The log has more under the request id.",
    )


def _answer(
    *,
    status: int,
    code: str,
    detail: str,
    problems: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    document = problem_document(
        status=status,
        code=code,
        detail=detail,
        instance=request.path,
        request_id=request_id(),
        problems=problems,
    )
    answer = Response(json.dumps(document), status=status, content_type=MEDIA_TYPE)
    answer.headers.update({**headers_of(status), **(headers or {})})
    return answer
