# SPDX-License-Identifier: Apache-2.0
"""The listeners of a node: one for each worker slot, all on one port, bound before any worker runs."""

import socket
from typing import Final

# Connections that wait for a worker that restarts. The kernel caps it at net.core.somaxconn.
_BACKLOG: Final = 4096


class PortTaken(Exception):
    """Somebody else listens there; with SO_REUSEPORT the kernel would quietly share connections with them."""


def bind_listeners(host: str, port: int, count: int) -> list[socket.socket]:
    """Return `count` listening sockets that share `host`:`port`. Raises PortTaken and OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of an earlier run may linger
        try:
            probe.bind(address)
        except OSError as exc:
            raise PortTaken(f"{host}:{port} cannot be bound ({exc.strerror})") from exc
    return [_listen(family, kind, protocol, address) for _ in range(count)]


def _listen(family: int, kind: int, protocol: int, address: tuple[str | int, ...] | tuple[int, bytes]) -> socket.socket:
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(address)
    listener.listen(_BACKLOG)
    listener.setblocking(False)  # noqa: FBT003  # its one parameter has no name
    return listener
