# SPDX-License-Identifier: Apache-2.0
"""Notices that a client is gone whose socket is not read any more.

Facts: a client that closes and one that only finished sending look the same: a FIN came. They differ when something is
sent: without a reader the client's kernel answers with a reset. After a FIN the event loop reads the socket no more and
is not told; the socket itself is.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

# The reset comes after one round trip: at once on this machine, within a second from anywhere.
_FIRST_LOOK_S: Final = 0.005
_LAST_LOOK_S: Final = 1.0


def watch_for_reset(transport: asyncio.Transport, gone: Callable[[], None], after_s: float = _FIRST_LOOK_S) -> None:
    """Call `gone` if what was sent last is answered with a reset."""

    def look() -> None:
        if transport.is_closing():
            return
        if transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            gone()
        elif after_s < _LAST_LOOK_S:
            watch_for_reset(transport, gone, 2 * after_s)

    asyncio.get_running_loop().call_later(after_s, look)
