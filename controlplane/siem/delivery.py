# SPDX-License-Identifier: Apache-2.0
"""Hands messages over, and says whether the other side has them. One connection, kept open, made anew when it breaks.

Rules: `deliver` returns once the receiver has said yes, or, for syslog, which has no answer, once all bytes were sent
and the receiver has not closed the connection. It raises DeliveryFailed otherwise, and everything is sent again: a
receiver gets each entry at least once, in order. Certificates and tokens are read when a connection is made.
"""

import select
import socket
import ssl
from collections.abc import Sequence
from typing import Final, Protocol

import httpx

from controlplane.siem.messages import Message
from controlplane.siem.sinks import Sink, SinkKind
from controlplane.siem.syslog import syslog_frames

# A SIEM that needs longer for a batch of at most a mebibyte is not going to keep up.
_TIMEOUT_S: Final = 15.0
_NDJSON: Final = "application/x-ndjson"
_PROTOBUF: Final = "application/x-protobuf"
# A refusal that will be the same however often it is sent. Everything else may be better later.
_LARGEST_ANSWER: Final = 64 * 1024


class DeliveryFailed(Exception):
    """The receiver does not have the messages. The text names no content and no secret."""


class Delivery(Protocol):
    def deliver(self, messages: Sequence[Message]) -> None:
        """Return once the receiver has `messages`. Raises DeliveryFailed."""

    def close(self) -> None: ...


def delivery_to(sink: Sink, *, log_name: str, version: str) -> Delivery:
    """Return what delivers to `sink`; `log_name` is what entries are said to come from."""
    if sink.kind is SinkKind.SYSLOG:
        return SyslogDelivery(sink, log_name=log_name)
    return HttpDelivery(sink, log_name=log_name, version=version)


def tls_of(sink: Sink) -> ssl.SSLContext:
    """Return the TLS settings of `sink`: 1.2 at least, the receiver's certificate and name checked."""
    context = ssl.create_default_context(cafile=None if sink.ca_file is None else str(sink.ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if sink.certificate_file is not None and sink.key_file is not None:
        context.load_cert_chain(sink.certificate_file, sink.key_file)
    return context


class SyslogDelivery:
    """Syslog over TLS (RFC 5425), or over plain TCP with the same framing (RFC 6587, 3.4.1) to this machine."""

    def __init__(self, sink: Sink, *, log_name: str) -> None:
        self._sink = sink
        self._log_name = log_name
        self._socket: socket.socket | None = None

    def deliver(self, messages: Sequence[Message]) -> None:
        frames = syslog_frames(messages, host=self._log_name)
        try:
            connected = self._connected()
            connected.sendall(frames)
            self._still_there(connected)
        except OSError as exc:
            self.close()
            raise DeliveryFailed(f"syslog receiver: {type(exc).__name__}") from exc

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is not None:
            self._still_there(self._socket)
            return self._socket
        plain = socket.create_connection((self._sink.host, self._sink.port), timeout=_TIMEOUT_S)
        try:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._socket = (
                tls_of(self._sink).wrap_socket(plain, server_hostname=self._sink.host) if self._sink.tls else plain
            )
        except BaseException:
            plain.close()
            raise
        return self._socket

    def _still_there(self, connected: socket.socket) -> None:
        """Raise where the receiver has closed. It says nothing else, so that anything readable is its end."""
        pending = isinstance(connected, ssl.SSLSocket) and connected.pending() > 0
        readable = pending or bool(select.select([connected], [], [], 0)[0])
        if readable and not self._reads_nothing(connected):
            raise ConnectionResetError("the receiver closed the connection")

    def _reads_nothing(self, connected: socket.socket) -> bool:
        """Return whether what was readable was TLS's own (a session ticket, say) and not the end of the stream."""
        connected.settimeout(0)
        try:
            return bool(connected.recv(_LARGEST_ANSWER))
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        finally:
            connected.settimeout(_TIMEOUT_S)


class HttpDelivery:
    """A POST for each batch: NDJSON, or OTLP in protobuf. Any 2xx is a yes."""

    def __init__(self, sink: Sink, *, log_name: str, version: str) -> None:
        self._sink = sink
        self._log_name = log_name
        self._version = version
        self._http: httpx.Client | None = None

    def deliver(self, messages: Sequence[Message]) -> None:
        first, last = messages[0].log_index, messages[-1].log_index
        try:
            headers = {"Content-Type": self._media_type, "Idempotency-Key": f"{self._log_name}:{first}-{last}"}
            if self._sink.token_file is not None:
                token = self._sink.token_file.read_text("ascii").strip()
                headers["Authorization"] = f"Bearer {token}"
            with self._connected().stream(
                "POST", self._sink.url, content=self._body(messages), headers=headers
            ) as answer:
                status = answer.status_code
                self._drain(answer)
        except (httpx.HTTPError, OSError, ValueError) as exc:
            self.close()
            raise DeliveryFailed(f"{self._sink.kind} receiver: {type(exc).__name__}") from exc
        if not httpx.codes.is_success(status):
            raise DeliveryFailed(f"{self._sink.kind} receiver: status {status}")

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None

    @property
    def _media_type(self) -> str:
        return _PROTOBUF if self._sink.kind is SinkKind.OTLP else _NDJSON

    def _body(self, messages: Sequence[Message]) -> bytes:
        if self._sink.kind is SinkKind.HTTP:
            return b"".join([message.text + b"\n" for message in messages])
        # Here, because it brings protobuf: who has no collector does not pay for it.
        from controlplane.siem.otlp import otlp_logs  # noqa: PLC0415  # as said

        return otlp_logs(messages, log_name=self._log_name, tenant=self._sink.tenant, version=self._version)

    def _drain(self, answer: httpx.Response) -> None:
        """Read the answer to its end, so that the connection can be used again; a long one ends the connection."""
        read = 0
        for piece in answer.iter_raw():
            read += len(piece)
            if read > _LARGEST_ANSWER:
                raise ValueError("the answer is too long")

    def _connected(self) -> httpx.Client:
        if self._http is None:
            self._http = httpx.Client(
                verify=tls_of(self._sink) if self._sink.tls else False,
                timeout=_TIMEOUT_S,
                # A redirect would take the log, and a proxy from the environment the token, to where nobody said.
                follow_redirects=False,
                trust_env=False,
            )
        return self._http
