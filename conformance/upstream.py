# SPDX-License-Identifier: Apache-2.0
"""The recording upstream: answers like OpenAI's API, plays scripts on demand, and keeps every byte that arrives.

Rules: a byte is kept before anything is made of it, so that what cannot be read is seen all the same. What it answers
repeats the prompt it heard: a client can tell which request an answer belongs to.
"""

import base64
import json
import socket
import socketserver
import struct
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

import h11

from conformance import scripts
from conformance.secret_scripts import ALL_SCRIPTS

# Older bytes go first; what a row sends upstream is a thousandth of it, and the flood of case 12 is refused.
_KEPT_BYTES: Final = 64 * 1024 * 1024
_READ_BYTES: Final = 64 * 1024
_IDLE_S: Final = 300.0
_ASKS_FOR_SCRIPT: Final = "script: "


@dataclass(frozen=True, slots=True)
class Arrival:
    """Bytes that one connection of the gateway brought. `at` is where they stand among all that ever arrived."""

    at: int
    connection: int
    content: bytes


class ArrivalLog:
    """Everything that arrived, in order, for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrivals: list[Arrival] = []
        self._kept = 0
        self._position = 0
        self._connections = 0

    def connect(self) -> int:
        with self._lock:
            self._connections += 1
            return self._connections

    def add(self, connection: int, content: bytes) -> None:
        with self._lock:
            self._arrivals.append(Arrival(self._position, connection, content))
            self._position += len(content)
            self._kept += len(content)
            while self._kept > _KEPT_BYTES:
                self._kept -= len(self._arrivals.pop(0).content)

    def position(self) -> int:
        with self._lock:
            return self._position

    def since(self, position: int) -> list[Arrival]:
        with self._lock:
            return [arrival for arrival in self._arrivals if arrival.at >= position]


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False
    request_queue_size = 128


class RecordingUpstream:
    """A server on `host`:`port` in threads of its own. `with` starts and stops it; `log` is what arrived."""

    def __init__(self, port: int, *, host: str = "127.0.0.1") -> None:
        self.log = log = ArrivalLog()

        class Connection(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                serve_connection(self.request, log)

        self._listener = _Listener((host, port), Connection)
        self.port: int = self._listener.server_address[1]
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.1,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()


def log_server(log: ArrivalLog, port: int, *, host: str = "127.0.0.1") -> ThreadingHTTPServer:
    """Return a server, not yet started, of what arrived: `GET /?since=N`. On a port of its own, so that no gateway
    leads there.
    """

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.path.partition("since=")[2]
            since = int(asked) if asked.isdecimal() and asked.isascii() else log.position()
            arrivals = [
                {"at": each.at, "connection": each.connection, "content_b64": base64.b64encode(each.content).decode()}
                for each in log.since(since)
            ]
            body = json.dumps({"position": log.position(), "arrivals": arrivals}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing: the tool's output is its result."""

    return ThreadingHTTPServer((host, port), Page)


def serve_connection(connection: socket.socket, log: ArrivalLog) -> None:
    """Answer the requests of one connection until it ends, and keep what it brings."""
    number = log.connect()
    connection.settimeout(_IDLE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while _serve_request(connection, number, log):
            pass
    except OSError:
        return


def _serve_request(connection: socket.socket, number: int, log: ArrivalLog) -> bool:
    """Answer one request; tell whether the connection can take another."""
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=256 * 1024)
    head: h11.Request | None = None
    body = bytearray()
    while True:
        try:
            event = parser.next_event()
        except h11.RemoteProtocolError:
            connection.sendall(scripts.http(b'{"error":{"message":"unreadable"}}', status="400 Bad Request"))
            return False
        if event is h11.NEED_DATA:
            if parser.they_are_waiting_for_100_continue:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                parser.send(h11.InformationalResponse(status_code=100, headers=[]))
            piece = connection.recv(_READ_BYTES)
            if not piece:
                return False
            log.add(number, piece)
            parser.receive_data(piece)
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _play(connection, _answer(head, bytes(body))) and not parser.trailing_data[0]
        else:
            return False


def _play(connection: socket.socket, played: scripts.Played) -> bool:
    for piece in played:
        if piece == scripts.RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if piece == scripts.KEEP:
            return True
        connection.sendall(piece)
        if len(played) > 1:
            time.sleep(0.002)  # so that each piece is a read of its own
    return not isinstance(played, Scripted)


class Scripted(list[bytes]):
    """What a script plays: the connection ends after it, since nobody can say where its answer ended."""


def _answer(head: h11.Request, body: bytes) -> scripts.Played:
    try:
        asked = json.loads(body) if body else {}
        prompt = _prompt(asked)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return [scripts.http(b'{"error":{"message":"not understood"}}', status="400 Bad Request")]
    if prompt.startswith(_ASKS_FOR_SCRIPT):
        name, _, mark = prompt.removeprefix(_ASKS_FOR_SCRIPT).rpartition(" ")
        if name in ALL_SCRIPTS:
            return Scripted(ALL_SCRIPTS[name](mark))
    path = head.target.partition(b"?")[0]
    if head.method == b"GET":
        models = {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "nobody"}]}
        return [scripts.http(json.dumps(models).encode())]
    heard = f"heard {prompt}"
    if path.endswith(b"/responses"):
        return scripts.response_told(heard) if asked.get("stream") else [scripts.http(scripts.response_answer(heard))]
    if path.endswith(b"/completions") and "messages" not in asked:
        return [scripts.http(scripts.completion_answer(heard))]
    return scripts.told(heard) if asked.get("stream") else [scripts.http(scripts.chat_answer(heard))]


def _prompt(asked: dict[str, Any]) -> str:
    """Return the last text of a request: the last message's, or the prompt."""
    said = asked.get("messages", asked.get("input"))
    if not isinstance(said, list):
        return str(asked.get("prompt", "") if said is None else said)
    content = said[-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
