# SPDX-License-Identifier: Apache-2.0
"""mitmproxy's own objects, made from what is already of the right type.

Their constructors convert and check each argument, for scripts that give them anything, and a flow asks the system for
a random id: 15 µs a request. What is made here is of the same classes with the same attributes; a test compares them.
"""

from mitmproxy import http
from mitmproxy.connection import Client, Server

from proxy_addons.core.framing import Fields


class ReverseFlow(http.HTTPFlow):
    """A flow with the id of its request."""

    def __init__(self, client: Client, server: Server, *, request_id: str, created_s: float) -> None:
        # Not super().__init__(): see above.
        self.id = request_id
        self.client_conn = client
        self.server_conn = server
        self.live = True
        self.timestamp_created = created_s
        self.intercepted = False
        self._resume_event = None
        self._backup = None
        self.marked = ""
        self.is_replay = None
        self.metadata = {}
        self.comment = ""


def headers(fields: Fields) -> http.Headers:
    made = http.Headers.__new__(http.Headers)
    made.fields = fields
    return made


def request(
    *, host: str, port: int, scheme: bytes, method: bytes, path: bytes, version: bytes, fields: Fields, at_s: float
) -> http.Request:
    made = http.Request.__new__(http.Request)
    made.data = http.RequestData(
        host=host,
        port=port,
        method=method,
        scheme=scheme,
        authority=b"",
        path=path,
        http_version=version,
        headers=headers(fields),
        content=None,
        trailers=None,
        timestamp_start=at_s,
        timestamp_end=None,
    )
    return made


def response(status: int, fields: Fields, *, at_s: float) -> http.Response:
    made = http.Response.__new__(http.Response)
    made.data = http.ResponseData(
        http_version=b"HTTP/1.1",
        status_code=status,
        reason=b"",
        headers=headers(fields),
        content=None,
        trailers=None,
        timestamp_start=at_s,
        timestamp_end=None,
    )
    return made
