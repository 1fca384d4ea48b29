# SPDX-License-Identifier: Apache-2.0
"""Who counts as one that examines a streamed answer."""

import pytest

from proxy_addons.core.sse import SseEnforcer
from proxy_addons.core.streaming import StreamEnforcer, is_stream_enforcer


class _WithoutAbort:
    def feed(self, piece: bytes, /) -> bytes:
        return piece

    def finish(self) -> bytes:
        return b""


class _Whole(_WithoutAbort):
    def abort(self, code: str, /) -> bytes:
        return code.encode()


def test_ours_is_one():
    assert is_stream_enforcer(object.__new__(SseEnforcer))


@pytest.mark.parametrize("candidate", [_Whole(), _WithoutAbort(), True, None, bytes.upper, lambda piece: piece])
def test_it_says_what_the_protocol_says(candidate):
    for _ in range(2):  # the second time from memory
        assert is_stream_enforcer(candidate) is isinstance(candidate, StreamEnforcer)
