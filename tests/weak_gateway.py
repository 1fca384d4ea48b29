# SPDX-License-Identifier: Apache-2.0
"""A gateway that forwards every byte both ways: what a suite of attacks must find fault with."""

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator


def _relay(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def weak_gateway(upstream_port: int, *, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Yield the port of one."""

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError), contextlib.ExitStack() as open_:
                client = self.request
                if context is not None:
                    client = open_.enter_context(context.wrap_socket(client, server_side=True))
                upstream = open_.enter_context(socket.create_connection(("127.0.0.1", upstream_port)))
                back = threading.Thread(target=_relay, args=(upstream, client), daemon=True)
                back.start()
                _relay(client, upstream)
                back.join(5)

    class Listener(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            """A client that leaves in the middle is what it is for."""

    with Listener(("127.0.0.1", 0), Connection) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield listener.server_address[1]
        listener.shutdown()
        thread.join()
