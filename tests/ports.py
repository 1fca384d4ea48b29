# SPDX-License-Identifier: Apache-2.0
"""Ports for what a test starts."""

import contextlib
import secrets
import socket
from typing import Final

# Below those that systems give to outgoing connections, which would take the port before what the test starts has it.
_FIRST: Final = 12_000
_LAST: Final = 32_000

_given: set[int] = set()


def unused_port() -> int:
    """Return a TCP port of the loopback address that nobody listened on a moment ago, each time another one."""
    while True:
        # Not from `random`: its seed is that of the run, and two runs beside each other may have the same one.
        port = _FIRST + secrets.randbelow(_LAST - _FIRST)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port
