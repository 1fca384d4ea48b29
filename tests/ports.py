# SPDX-License-Identifier: Apache-2.0
"""Ports for what a test starts."""

import socket


def unused_port() -> int:
    """Return a TCP port of the loopback address that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
