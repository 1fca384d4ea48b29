# SPDX-License-Identifier: Apache-2.0
from mitmproxy.proxy.mode_specs import ProxyMode

from proxy_addons.http1.client import client_of


class FakeTls:
    def __init__(self, *, agreed):
        self._agreed = agreed

    def cipher(self):
        return ("TLS_AES_128_GCM_SHA256", "TLSv1.3", 128) if self._agreed else None

    def selected_alpn_protocol(self):
        return "http/1.1" if self._agreed else None

    def getpeercert(self, *, binary_form):
        assert binary_form
        return b"DER" if self._agreed else None


class FakeTransport:
    def __init__(self, tls=None):
        self._known = {"peername": ("192.0.2.1", 1), "sockname": ("192.0.2.2", 2), "ssl_object": tls}

    def get_extra_info(self, name):
        return self._known[name]


MODE = ProxyMode.parse("reverse:http://upstream.example")


def test_a_plain_client_has_no_certificate():
    client, certificate = client_of(FakeTransport(), MODE, now_s=3.0)
    assert (client.peername, client.timestamp_start, client.tls, certificate) == (("192.0.2.1", 1), 3.0, False, None)


def test_what_tls_agreed_is_told_in_mitmproxys_fields():
    client, certificate = client_of(FakeTransport(FakeTls(agreed=True)), MODE, now_s=3.0)
    assert (client.tls_established, client.cipher, client.alpn) == (True, "TLS_AES_128_GCM_SHA256", b"http/1.1")
    assert certificate == b"DER"


def test_nothing_agreed_is_nothing_told():
    client, certificate = client_of(FakeTransport(FakeTls(agreed=False)), MODE, now_s=3.0)
    assert (client.tls, client.cipher, client.alpn, certificate) == (True, None, None, None)
