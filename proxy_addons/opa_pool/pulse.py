# SPDX-License-Identifier: Apache-2.0
"""Whether an OPA server still answers: asked over its socket every few seconds, without ever waiting for it."""

import errno
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

_ASK_EVERY_S: Final = 2.0
# Decisions wait a quarter of a second. A server that needs twenty times that for the least of its answers hangs; one
# on a machine that is merely busy has answered long before.
_ANSWER_S: Final = 5.0
_NOT_CONNECTED: Final = frozenset({errno.ENOTCONN, errno.EINVAL})
_QUESTION: Final = b"GET /health HTTP/1.0\r\n\r\n"


class Pulse:
    """`hangs` is called often, with monotonic seconds. Any byte, and also a closed connection, is a sign of life."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._asking: socket.socket | None = None
        self._asked_at = 0.0
        self._ask_at = 0.0

    def hangs(self, now: float) -> bool:
        """Return True once a question has stayed without an answer for too long."""
        if self._asking is not None:
            return self._unanswered(self._asking) and now - self._asked_at > _ANSWER_S
        if now >= self._ask_at:
            self._ask_at = now + _ASK_EVERY_S
            self._ask(now)
        return False

    def close(self) -> None:
        if self._asking is not None:
            self._asking.close()
            self._asking = None

    def _ask(self, now: float) -> None:
        asking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        asking.setblocking(False)  # noqa: FBT003  # its one parameter has no name
        try:
            with suppress(BlockingIOError):  # its queue is full: nobody takes connections, and the deadline runs
                self._put(asking)
        except OSError:
            asking.close()  # it does not listen yet, or no more: its process will tell
            return
        self._asking, self._asked_at = asking, now

    def _unanswered(self, asking: socket.socket) -> bool:
        try:
            asking.recv(1)
        except BlockingIOError:
            return True
        except OSError as exc:
            if exc.errno in _NOT_CONNECTED:
                with suppress(OSError):
                    self._put(asking)
                return True
            # Else it closed the connection: somebody did.
        self.close()
        return False

    def _put(self, asking: socket.socket) -> None:
        asking.connect(str(self._path))
        asking.send(_QUESTION)
