# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest

from proxy_addons.node.posture import Found, Outcome
from proxy_addons.node.posture_checks import checks_of
from tests.posture_servers import answer, saying


def settings(host, port, upstreams=(), hosts=frozenset()):
    first, *others = [SimpleNamespace(url=url) for url in upstreams or ("http://127.0.0.1:1",)]
    return SimpleNamespace(
        proxy_host=host,
        proxy_port=port,
        proxy_hosts=hosts,
        proxy_tls=None,
        screen=None,
        upstream=first,
        upstreams={str(number): other for number, other in enumerate(others)},
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", ""])
async def test_the_nodes_own_port_is_asked_wherever_it_listens(host):
    async with saying(answer(401)) as (port, asked):
        checks = checks_of(settings(host, port, hosts=frozenset({"gateway.example"})), lambda: None)
        assert await checks["unauthenticated-passes"]() == Found(Outcome.PASSED, "refused")
    assert b"Host: gateway.example\r\n" in asked[0]


async def test_every_upstream_is_asked():
    async with saying(answer(401)) as (closed, _), saying(answer(200)) as (opened, _):
        urls = [f"http://127.0.0.1:{port}" for port in (closed, opened)]
        found = await checks_of(settings("127.0.0.1", 1, urls), lambda: None)["upstream-reachable-around"]()
    assert found.outcome is Outcome.FAILED


async def test_what_a_node_does_not_have_is_skipped():
    checks = checks_of(settings("127.0.0.1", 1), lambda: None)
    assert await checks["tls"]() == Found(Outcome.SKIPPED, "no-certificate-set")
    assert await checks["canaries"]() == Found(Outcome.SKIPPED, "no-policy")
    assert await checks["screen"]() == Found(Outcome.SKIPPED, "no-policy")
