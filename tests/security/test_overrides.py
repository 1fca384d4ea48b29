# SPDX-License-Identifier: Apache-2.0
"""mitmproxy 11.0.2 holds back libraries whose later versions fixed holes. We override it; this shows that both hold."""

from importlib.metadata import version

import pytest

from tests.layer_rig import AllowAll, gateway, on_uvloop, request, status

# The first version with the fix, and what was fixed.
SECURE = {
    "h11": ((0, 16), "bad chunk terminators were accepted: request smuggling"),
    "h2": ((4, 3), "line breaks in header fields: request splitting behind a translating proxy"),
    "hyperframe": ((6, 1), "what h2 4.3 requires"),
    "brotli": ((1, 2), "decompression without a bound"),
    "cryptography": ((46,), "certificate handling"),
    "pyopenssl": ((25, 3), "what cryptography 46 requires"),
    "tornado": ((6, 5, 2), "header injection and unbounded parsing in the web interface"),
    "flask": ((3, 1, 3), "session handling in the web interface"),
    "msgpack": ((1, 1, 1), "out-of-bounds reads"),
}


@pytest.mark.parametrize("name", SECURE)
def test_an_overridden_library_has_its_fix(name):
    least, reason = SECURE[name]
    found = tuple(int(part) for part in version(name).split(".")[: len(least)])
    assert found >= least, reason


def test_mitmproxy_is_the_version_the_layer_was_written_for():
    assert version("mitmproxy") == "11.0.2"


@on_uvloop
async def test_mitmproxy_proxies_with_the_overridden_libraries():
    async with gateway([AllowAll()]) as gate:
        assert status(await gate.exchange(request())) == 200
        assert len(gate.upstream.requests) == 1
