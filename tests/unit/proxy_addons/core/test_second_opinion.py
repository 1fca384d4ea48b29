# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.core.second_opinion import Disagrees, SecondOpinion

HEAD = b"POST /a?b HTTP/1.1\r\nHost: x\r\nX:  y \r\nContent-Length: 3\r\n\r\n"


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_says_what_it_read_however_the_bytes_were_cut(step):
    second = SecondOpinion()
    for start in range(0, len(HEAD), step):
        second.feed(HEAD[start : start + step])
    assert second.target == b"/a?b"
    assert (b"X", b"y") in second.fields
    assert not second.complete
    second.feed(b"abc")
    assert second.complete


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", id="bare-cr"),
        pytest.param(b"GET / HTTP/1.1\r\nA : b\r\n\r\n", id="space-before-colon"),
        pytest.param(b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", id="two-lengths"),
        pytest.param(b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", id="upgrade"),
        pytest.param(b"\x16\x03\x01", id="tls"),
    ],
)
def test_does_not_take_what_is_malformed(raw):
    with pytest.raises(Disagrees):
        SecondOpinion().feed(raw)
