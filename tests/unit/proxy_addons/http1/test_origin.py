# SPDX-License-Identifier: Apache-2.0
"""The one place that can be dialled is what settings say, and nothing else is an origin."""

import ssl

import pytest

from proxy_addons.http1.origin import UpstreamOrigin
from tests.authority import Authority
from tests.layer_rig import upstream_settings


@pytest.mark.parametrize(
    ("url", "want"),
    [
        ("http://inference.example", ("inference.example", 80, b"inference.example", b"http")),
        ("http://127.0.0.1:8001", ("127.0.0.1", 8001, b"127.0.0.1:8001", b"http")),
        ("https://[::1]:8443/", ("::1", 8443, b"[::1]:8443", b"https")),
        ("https://inference.example", ("inference.example", 443, b"inference.example", b"https")),
    ],
)
def test_an_origin_is_where_its_url_says(url, want):
    origin = UpstreamOrigin.from_settings(upstream_settings(url))
    assert (origin.host, origin.port, origin.host_field, origin.scheme_bytes) == want


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://x/path", "http://x?query", "x", "//x"])
def test_what_is_no_origin_is_refused(url):
    with pytest.raises(ValueError, match="must be an origin"):
        UpstreamOrigin.from_settings(upstream_settings(url))


def test_the_chain_and_the_name_of_an_origin_are_verified(tmp_path):
    authority = Authority(tmp_path, "ca")
    settings = upstream_settings("https://inference.example", authority.path, *authority.issue("proxy"))
    context = UpstreamOrigin.from_settings(settings).tls
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("content", ["two\nlines", "schlüssel", "tab\tin it"])
def test_a_key_that_would_not_fit_into_one_field_is_refused(tmp_path, content):
    (tmp_path / "key").write_text(content)
    with pytest.raises(ValueError, match="API key"):
        UpstreamOrigin.from_settings(upstream_settings("http://x", api_key_file=tmp_path / "key"))


def test_the_key_is_the_line_of_its_file(tmp_path):
    (tmp_path / "key").write_text("secret\n")
    assert (
        UpstreamOrigin.from_settings(upstream_settings("http://x", api_key_file=tmp_path / "key")).api_key == "secret"
    )
