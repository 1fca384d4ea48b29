# SPDX-License-Identifier: Apache-2.0
"""Messages and receivers for tests of what is pushed."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from controlplane.siem.messages import Message, Severity
from tests.records import NOON


def make_message(**changes: Any) -> Message:
    members: dict[str, Any] = {
        "log_index": 7,
        "kind": "terminal",
        "at": NOON,
        "received_at": NOON,
        "severity": Severity.INFO,
        "attributes": {},
        "trace_id": None,
        "text": b'{"kind":"terminal"}',
    }
    return Message(**members | changes)


@contextmanager
def listening(serve: Callable[[socket.socket], None], *, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Give each connection to `serve`, one after another, in a thread. Yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    stop = threading.Event()

    def accept() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                plain = listener.accept()[0]
                plain.settimeout(5)
                with plain if tls is None else tls.wrap_socket(plain, server_side=True) as connected:
                    serve(connected)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        thread.join(5)
        listener.close()


@dataclass
class SyslogReceiver:
    """Reads frames; `close_after` ends a connection after so many bytes, whatever they are."""

    lines: list[bytes] = field(default_factory=list)
    connections: int = 0
    close_after: int | None = None

    def __call__(self, connected: socket.socket) -> None:
        self.connections += 1
        buffer = b""
        while piece := connected.recv(65536):
            buffer += piece
            if self.close_after is not None and len(buffer) >= self.close_after:
                self.close_after = None
                return
            while b" " in buffer:
                length, _, rest = buffer.partition(b" ")
                if len(rest) < int(length):
                    break
                self.lines.append(rest[: int(length)])
                buffer = rest[int(length) :]


@dataclass
class HttpReceiver:
    """Answers each POST with the next of `statuses`, 200 once there is none left."""

    statuses: list[int] = field(default_factory=list)
    requests: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    @contextmanager
    def served(self, tls: ssl.SSLContext | None = None) -> Iterator[int]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((self.path, dict(self.headers), body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            server.server_close()
            thread.join(5)
