# SPDX-License-Identifier: Apache-2.0
from proxy_addons.core.verdict_http import refusal_of
from proxy_addons.http1.refusal import refusal_response


def test_a_response_says_what_the_refusal_is():
    want = refusal_of("overloaded", "req_1", message="m", status=503, retry_after_s=9)
    got = refusal_response("overloaded", "req_1", message="m", status=503, retry_after_s=9)
    assert (got.status_code, got.headers.fields, got.raw_content) == want
    assert got.timestamp_end is not None
