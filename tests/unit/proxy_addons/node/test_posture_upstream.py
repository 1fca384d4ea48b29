# SPDX-License-Identifier: Apache-2.0
import ssl

import pytest

from proxy_addons.node.posture import Found, Outcome
from proxy_addons.node.posture_upstream import check_upstreams_around
from tests.authority import Authority
from tests.ports import unused_port
from tests.posture_servers import answer, saying


@pytest.mark.parametrize(
    ("status", "want"),
    [
        (200, Found(Outcome.FAILED, "answers-without-credentials")),
        (401, Found(Outcome.PASSED, "credentials-asked")),
        (403, Found(Outcome.PASSED, "credentials-asked")),
        (404, Found(Outcome.SKIPPED, "answer-says-neither")),
        (500, Found(Outcome.SKIPPED, "answer-says-neither")),
    ],
)
async def test_the_answer_says_whether_a_stranger_is_served(status, want):
    async with saying(answer(status)) as (port, asked):
        assert await check_upstreams_around([f"http://127.0.0.1:{port}"]) == want
    assert asked == [f"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()]


async def test_nobody_there_is_refused():
    found = await check_upstreams_around([f"http://127.0.0.1:{unused_port()}"])
    assert found == Found(Outcome.PASSED, "connection-refused")


async def test_one_open_upstream_of_several_is_enough():
    async with saying(answer(401)) as (closed, _), saying(answer(200)) as (opened, _):
        found = await check_upstreams_around([f"http://127.0.0.1:{port}" for port in (closed, opened)])
    assert found.outcome is Outcome.FAILED


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_that_wants_a_certificate_is_closed_and_one_that_does_not_is_open(tmp_path, version):
    authority = Authority(tmp_path, "ca")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(*authority.issue("upstream"))
    async with saying(answer(200), tls=context) as (port, _):
        found = await check_upstreams_around([f"https://127.0.0.1:{port}"])
        assert found == Found(Outcome.FAILED, "answers-without-credentials")
    context.load_verify_locations(authority.path)
    context.verify_mode = ssl.CERT_REQUIRED
    async with saying(answer(200), tls=context) as (port, _):
        found = await check_upstreams_around([f"https://127.0.0.1:{port}"])
        assert found == Found(Outcome.PASSED, "connection-refused")
