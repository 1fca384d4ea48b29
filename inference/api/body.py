# SPDX-License-Identifier: Apache-2.0
"""Reads a request's body within bounds."""

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect, Request

from inference.api.errors import Refusal, RequestRefused

# A context of 128 Ki tokens in English is half a megabyte; JSON escapes can triple it.
MOST_BODY_BYTES: Final = 4 * 1024 * 1024
MOST_DIGITS: Final = 20  # of a length: more are beyond any machine's numbers
_TOO_LARGE: Final = Refusal(status=413, message="The body is too large.", code="body_too_large")
# The client is the proxy, which has the whole body when it connects.
BODY_TIMEOUT_S: Final = 30.0


async def read_json_body(request: Request) -> bytes:
    """The bytes of a JSON body, refused by its media type, its size, or its slowness."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise RequestRefused(
            Refusal(status=415, message="The body must be application/json.", code="unsupported_media_type")
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RequestRefused(
            Refusal(status=415, message="The body must not be compressed.", code="unsupported_encoding")
        )
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > MOST_DIGITS or int(length) > MOST_BODY_BYTES):
        raise RequestRefused(_TOO_LARGE)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_BODY_BYTES:
                    raise RequestRefused(_TOO_LARGE)
    except TimeoutError:
        raise RequestRefused(Refusal(status=408, message="The body came too slowly.", code="body_timeout")) from None
    except ClientDisconnect:
        # Nobody reads this answer; the exception's only use is to end the request.
        raise RequestRefused(Refusal(status=400, message="The body is incomplete.", code="incomplete_body")) from None
    return bytes(body)
