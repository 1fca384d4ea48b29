# SPDX-License-Identifier: Apache-2.0
"""An upstream that gives a recorded answer, cut as it is told, and keeps the body it was asked with."""

import contextlib
import json
import socketserver
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any


class ReplayingUpstream:
    """Set `answer` before each request; `bodies` are those that arrived."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.port = 0
        self._status = 200
        self._media_type = ""
        self._pieces: Sequence[bytes] = ()

    def answer(self, *, status: int, media_type: str, pieces: Sequence[bytes]) -> None:
        self._status, self._media_type, self._pieces = status, media_type, pieces
        self.bodies.clear()

    @contextlib.contextmanager
    def running(self) -> Iterator["ReplayingUpstream"]:
        replay = self

        class Replay(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                replay.bodies.append(json.loads(body))
                self.send_response(replay._status)
                self.send_header("Content-Type", replay._media_type)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in replay._pieces:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_: object) -> None:
                """Recorded texts are nobody's log."""

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

        with Server(("127.0.0.1", 0), Replay) as server:
            self.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            yield self
            server.shutdown()
            thread.join()
