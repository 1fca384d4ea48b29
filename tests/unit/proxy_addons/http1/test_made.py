# SPDX-License-Identifier: Apache-2.0
"""What is made without mitmproxy's constructors differs in nothing from what they make."""

from mitmproxy import http
from mitmproxy.test import tflow

from proxy_addons.http1 import made

FIELDS = ((b"Host", b"a"), (b"X", b"1"), (b"x", b"2"))


def test_headers_are_mitmproxys():
    want, got = http.Headers(FIELDS), made.headers(FIELDS)
    assert (vars(want), type(want)) == (vars(got), type(got))
    assert got["x"] == "1, 2"
    got["new"] = "3"
    assert got.fields[-1] == (b"new", b"3")


def test_a_request_is_mitmproxys():
    want = http.Request("h", 1, b"GET", b"http", b"", b"/", b"HTTP/1.1", http.Headers(FIELDS), None, None, 2.0, None)
    got = made.request(
        host="h", port=1, scheme=b"http", method=b"GET", path=b"/", version=b"HTTP/1.1", fields=FIELDS, at_s=2.0
    )
    assert vars(want).keys() == vars(got).keys()
    assert (type(want), vars(want.data), type(want.data)) == (type(got), vars(got.data), type(got.data))
    assert want.get_state() == got.get_state()


def test_a_response_is_mitmproxys():
    want = http.Response(b"HTTP/1.1", 200, b"", http.Headers(FIELDS), None, None, 2.0, None)
    got = made.response(200, FIELDS, at_s=2.0)
    assert vars(want).keys() == vars(got).keys()
    assert (type(want), vars(want.data), type(want.data)) == (type(got), vars(got.data), type(got.data))
    assert want.get_state() == got.get_state()


def test_a_flow_has_all_that_mitmproxys_has():
    client, server = tflow.tclient_conn(), tflow.tserver_conn()
    want = http.HTTPFlow(client, server, live=True)
    got = made.ReverseFlow(client, server, request_id="req_1", created_s=want.timestamp_created)
    want.id = "req_1"
    assert vars(want) == vars(got)
    assert got.response is None
    assert got.error is None
    got.kill()
    assert got.error is not None
