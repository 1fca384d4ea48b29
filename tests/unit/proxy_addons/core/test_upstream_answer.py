# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.core.upstream_answer import Failed, failure_of, media_type_of


@pytest.mark.parametrize("status", range(201, 600))
def test_only_200_is_examined(status):
    assert failure_of(status, []) is not None


def test_200_is_examined():
    assert failure_of(200, []) is None


@pytest.mark.parametrize(
    ("value", "want"), [(b"30", 30), (b"99999", None), (b"-1", None), (b"Fri, 20 Nov 2026 18:00:00 GMT", None)]
)
def test_busy_upstream_says_when_to_retry_in_seconds_only(value, want):
    assert failure_of(429, [(b"Retry-After", value)]) == Failed(code="upstream-error", status=429, retry_after_s=want)


@pytest.mark.parametrize(
    ("headers", "want"),
    [
        pytest.param([(b"Content-Type", b"Application/JSON; charset=utf-8")], b"application/json", id="parameters"),
        pytest.param([], None, id="none"),
        pytest.param([(b"content-type", b"application/json")] * 2, None, id="two"),
        pytest.param([(b"content-type", b"application/json"), (b"content-encoding", b"br")], None, id="compressed"),
    ],
)
def test_media_type_is_one_and_of_an_uncompressed_answer(headers, want):
    assert media_type_of(headers) == want
