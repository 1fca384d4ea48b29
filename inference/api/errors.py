# SPDX-License-Identifier: Apache-2.0
"""Refusals, and their one shape on the wire. No message ever quotes what the client sent as content."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.responses import JSONResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    status: int
    message: str
    code: str
    kind: str = "invalid_request_error"
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        return JSONResponse(self.body(), status_code=self.status, headers=dict(self.headers))


class RequestRefused(Exception):
    """The request is answered with this refusal and nothing else."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def invalid(param: str, message: str, *, code: str = "invalid_value") -> RequestRefused:
    return RequestRefused(Refusal(status=400, message=message, code=code, param=param))


def unsupported(param: str) -> RequestRefused:
    return invalid(param, f"This server does not support '{param}'.", code="unsupported_parameter")


def overloaded(retry_after_s: int) -> Refusal:
    return Refusal(
        status=429,
        message="Too many requests wait for the model. Try again later.",
        code="engine_overloaded",
        kind="rate_limit_error",
        headers={"Retry-After": str(retry_after_s)},
    )


INTERNAL = Refusal(status=500, message="The server had an error.", code="internal_error", kind="server_error")
STOPPING = Refusal(
    status=503,
    message="The server is not ready.",
    code="not_ready",
    kind="server_error",
    headers={"Retry-After": "5"},
)
