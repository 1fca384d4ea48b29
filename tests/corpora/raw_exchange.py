# SPDX-License-Identifier: Apache-2.0
"""One raw request to a node, half-closed behind it, with all that came back and all that arrived upstream."""

import contextlib
import socket
import time
from dataclasses import dataclass

from conformance.answers import Answer, AnswerReader
from conformance.judge import code_of
from conformance.upstream import ArrivalLog

WITHIN_S = 20.0


@dataclass(frozen=True)
class Outcome:
    answers: list[Answer]
    raw: bytes
    arrived: bytes
    ended: bool

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.answers]

    @property
    def code(self) -> str | None:
        return code_of(self.answers[-1]) if self.answers else None

    @property
    def forwarded(self) -> bool:
        return bool(self.arrived)


def exchange(port: int, raw: bytes, log: ArrivalLog) -> Outcome:
    before = log.position()
    reader = AnswerReader()
    ended = False
    deadline = time.monotonic() + WITHIN_S
    with socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S) as client:
        with contextlib.suppress(OSError):  # it may have refused before it had all
            client.sendall(raw)
            client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while time.monotonic() < deadline:
                piece = client.recv(65536)
                reader.feed(piece)
                if not piece:
                    ended = True
                    break
    arrived = b"".join(arrival.content for arrival in log.since(before))
    return Outcome(reader.answers, bytes(reader.raw), arrived, ended)
