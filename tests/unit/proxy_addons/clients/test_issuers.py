# SPDX-License-Identifier: Apache-2.0
"""What the node takes from an issuer, and what it does not: against a provider on loopback."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from proxy_addons.clients import issuers
from proxy_addons.clients.issuers import Issuers, IssuerUnavailable
from proxy_addons.core.issuer_keys import KeysInvalid
from proxy_addons.settings import SettingInvalid
from tests.oidc import OpenIdProvider
from tests.tokens import issuer, jwks

CONFIGURATION = "/.well-known/openid-configuration"


@pytest.fixture
async def provider() -> AsyncIterator[OpenIdProvider]:
    async with OpenIdProvider() as started:
        yield started


async def test_keys_are_found_by_the_issuers_configuration(provider):
    keys = await Issuers(None).fetch(issuer(issuer=provider.url))
    assert [key.kid for key in keys] == ["rsa-1"]
    assert provider.requests == [CONFIGURATION, "/keys"]


async def test_keys_at_a_stated_url_need_no_configuration(provider):
    await Issuers(None).fetch(issuer(issuer="https://login.example.com", jwks=f"{provider.url}/keys"))
    assert provider.requests == ["/keys"]


async def test_the_environments_proxy_is_not_asked(provider, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert await Issuers(None).fetch(issuer(issuer=provider.url))


@pytest.mark.parametrize(
    ("path", "given", "want"),
    [
        pytest.param("/keys", 302, "status-302", id="a-redirect"),
        pytest.param(CONFIGURATION, 308, "status-308", id="a-permanent-redirect"),
        pytest.param("/keys", 500, "status-500", id="an-error"),
        pytest.param("/keys", b"[" * 300_000, "answer-too-large", id="too-many-bytes"),
        pytest.param(CONFIGURATION, b" " * 70_000, "answer-too-large", id="too-large-a-configuration"),
        pytest.param("/keys", b"<html>", "keys-not-json", id="no-json"),
        pytest.param("/keys", b'{"keys":[]}', "no-usable-key", id="no-key"),
    ],
)
async def test_what_is_not_a_plain_answer_is_none(provider, path, given, want):
    provider.answers[path] = given
    provider.answers["/other"] = jwks()
    with pytest.raises(IssuerUnavailable, match=want):
        await Issuers(None).fetch(issuer(issuer=provider.url))
    assert "/other" not in provider.requests


@pytest.mark.parametrize(
    ("url", "want"),
    [
        pytest.param("http://10.0.0.1/keys", "not-https", id="plain-http"),
        pytest.param("file:///etc/passwd", "not-https", id="a-file"),
        pytest.param("http://127.0.0.1@evil.example/keys", "not-https", id="a-user-that-looks-like-loopback"),
        pytest.param("https://a@evil.example/keys", "not-https", id="a-user"),
        pytest.param("/keys", "not-https", id="no-origin"),
        pytest.param("http://[::1", "url-invalid", id="no-url"),
    ],
)
async def test_a_configuration_may_not_lead_elsewhere_in_the_clear(provider, url, want):
    provider.answers[CONFIGURATION] = json.dumps({"issuer": provider.url, "jwks_uri": url}).encode()
    with pytest.raises(IssuerUnavailable, match=want):
        await Issuers(None).fetch(issuer(issuer=provider.url))


async def test_an_https_issuer_may_not_lead_to_plain_loopback(provider):
    with pytest.raises(KeysInvalid, match="not-https"):
        issuers._check(f"{provider.url}/keys", issuer(issuer="https://login.example.com"))


async def test_a_configuration_of_another_issuer_is_not_believed(provider):
    provider.answers[CONFIGURATION] = json.dumps({"issuer": "https://x", "jwks_uri": f"{provider.url}/keys"}).encode()
    with pytest.raises(IssuerUnavailable, match="another-issuer"):
        await Issuers(None).fetch(issuer(issuer=provider.url))
    assert provider.requests == [CONFIGURATION]


async def test_an_issuer_that_is_away_is_said_without_its_words(provider):
    await provider.stop()
    with pytest.raises(IssuerUnavailable) as caught:
        await Issuers(None).fetch(issuer(issuer=provider.url))
    assert provider.url not in str(caught.value)


async def test_a_certificate_nobody_vouches_for_is_refused(provider):
    tls = replace(issuer(issuer=provider.url), jwks=provider.url.replace("http://", "https://") + "/keys")
    with pytest.raises(IssuerUnavailable):
        await Issuers(None).fetch(tls)


def test_a_file_without_certificates_stops_the_start(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(SettingInvalid, match="GATEHOUSE_ISSUER_CA_FILE"):
        Issuers(tmp_path / "ca.pem")
