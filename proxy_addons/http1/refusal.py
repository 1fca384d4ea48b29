# SPDX-License-Identifier: Apache-2.0
"""A refusal as the response of a flow."""

from mitmproxy import http

from proxy_addons.core.verdict_http import refusal_of
from proxy_addons.http1 import made


def refusal_response(
    code: str,
    request_id: str,
    *,
    message: str | None = None,
    status: int | None = None,
    retry_after_s: int | None = None,
) -> http.Response:
    """Return the answer for `code`; `proxy_addons.core.verdict_http` says what it holds."""
    told = refusal_of(code, request_id, message=message, status=status, retry_after_s=retry_after_s)
    response = made.response(told.status, told.fields, at_s=0.0)
    response.data.content = told.content
    response.data.timestamp_end = 0.0
    return response
