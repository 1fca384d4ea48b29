# SPDX-License-Identifier: Apache-2.0
"""A connection that is turned away, before a transport that only notes what was done with it."""

import asyncio

import pytest

from proxy_addons.http1.turned_away import Refused, TurnedAway
from tests.layer_rig import error_code, status


class FakeTransport:
    def __init__(self, *, tls=None):
        self.written, self.did, self._tls = b"", [], tls

    def get_extra_info(self, name):
        return self._tls

    def write(self, content):
        self.written += content

    def write_eof(self):
        self.did.append("eof")

    def abort(self):
        self.did.append("abort")


@pytest.mark.parametrize(("tls", "did"), [(None, ["eof"]), (object(), [])], ids=["plain", "tls"])
async def test_it_is_told_why_and_when_to_come_back_and_its_end_where_that_can_be_said(tls, did):
    counted, transport = [], FakeTransport(tls=tls)
    it = TurnedAway("req_1", stay_s=60, count=counted.append)
    it.connection_made(transport)
    it.data_received(b"GET / HTTP/1.1\r\n")
    assert (status(transport.written), error_code(transport.written)) == (503, "overloaded")
    assert b"\r\nRetry-After: 1\r\n" in transport.written
    assert b"\r\nConnection: close\r\n" in transport.written
    assert transport.did == did
    it.connection_lost(None)
    assert counted == [1, -1]


async def test_it_does_not_stay_longer_than_it_may():
    transport = FakeTransport()
    it = TurnedAway("req_1", stay_s=0.01, count=lambda change: None)
    it.connection_made(transport)
    await asyncio.sleep(0.05)
    assert transport.did == ["eof", "abort"]
    it.connection_lost(None)


async def test_one_too_many_even_for_that_is_closed_without_a_word():
    transport = FakeTransport()
    Refused().connection_made(transport)
    assert (transport.did, transport.written) == (["abort"], b"")
