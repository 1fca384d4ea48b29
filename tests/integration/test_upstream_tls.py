# SPDX-License-Identifier: Apache-2.0
"""The upstream over TLS: its certificate is verified, for its address too, and ours is shown."""

import ssl

import pytest

from tests.authority import Authority
from tests.layer_rig import AllowAll, error_code, gateway, on_uvloop, request, status, upstream_settings


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "ca")


def server_context(certificate, *, client_ca=None):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


@on_uvloop
async def test_an_upstream_with_mutual_tls_answers(authority):
    tls = server_context(authority.issue("server", "127.0.0.1"), client_ca=authority.path)
    mine = upstream_settings("", authority.path, *authority.issue("client", "127.0.0.2"))
    async with gateway([AllowAll()], upstream_tls=tls, settings=mine) as gate:
        for _ in range(2):
            assert status(await gate.exchange(request())) == 200
        assert gate.upstream.connections == 1


@on_uvloop
async def test_an_upstream_that_wants_our_certificate_gets_nothing_without_it(authority):
    tls = server_context(authority.issue("server", "127.0.0.1"), client_ca=authority.path)
    async with gateway([AllowAll()], upstream_tls=tls, settings=upstream_settings("", authority.path)) as gate:
        assert error_code(await gate.exchange(request())) == "upstream-unavailable"
        assert not gate.upstream.received


@on_uvloop
async def test_an_upstream_of_another_address_gets_nothing(authority):
    tls = server_context(authority.issue("server", "127.0.0.9"))
    async with gateway([AllowAll()], upstream_tls=tls, settings=upstream_settings("", authority.path)) as gate:
        assert error_code(await gate.exchange(request())) == "upstream-unavailable"
        assert not gate.upstream.received


@on_uvloop
async def test_an_upstream_of_an_unknown_authority_gets_nothing(authority, tmp_path):
    other = Authority(tmp_path, "other")
    tls = server_context(other.issue("server", "127.0.0.1"))
    async with gateway([AllowAll()], upstream_tls=tls, settings=upstream_settings("", authority.path)) as gate:
        assert error_code(await gate.exchange(request())) == "upstream-unavailable"
        assert not gate.upstream.received
