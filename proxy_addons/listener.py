# SPDX-License-Identifier: Apache-2.0
"""Takes the connections of one listening socket, over TLS where settings say so, and follows the certificate's files.

Theory: an asyncio server has its TLS context for life. A new certificate therefore gets a new server on a duplicate of
the socket, and the old server stops listening: the kernel's queue is one, nobody's connection is refused, and what is
open stays open under the certificate it was opened with.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

import structlog

from proxy_addons.data_port_tls import LOOK_EVERY_S, TlsFilesUnusable, TlsIdentity, load_identity, stamp_of
from proxy_addons.http1.bounds import Bounds
from proxy_addons.settings import DataPortTls

_log: Final = structlog.get_logger()

# The kernel keeps connections that arrive faster than they are accepted, as well as those of a worker's restart.
_BACKLOG: Final = 4096


class Listener:
    """`report` is told each change of the certificate: until when it is valid, and what is wrong with newer files."""

    def __init__(
        self,
        sock: socket.socket,
        protocol: Callable[[], asyncio.BaseProtocol],
        *,
        bounds: Bounds,
        tls: DataPortTls | None,
        report: Callable[[str, str], None] | None = None,
    ) -> None:
        self._socket = sock
        self._protocol = protocol
        self._bounds = bounds
        self._tls = tls
        self._report = report
        self._server: asyncio.AbstractServer | None = None
        self._identity: TlsIdentity | None = None
        self._problem = ""
        self._following: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take connections. With files that are unusable, wait until they are not: clients wait in the kernel."""
        if self._tls is None:
            await self._serve(None)
            return
        while not await self._look(self._tls):  # noqa: ASYNC110  # files set no event
            await asyncio.sleep(LOOK_EVERY_S)
        self._following = asyncio.get_running_loop().create_task(self._follow(self._tls))

    def close(self) -> None:
        if self._following is not None:
            self._following.cancel()
        if self._server is not None:
            self._server.close()
        self._socket.close()

    async def _follow(self, files: DataPortTls) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self._look(files)
            except OSError as exc:  # no descriptor left, say; what is served stays, and the next look tries again
                self._tell(f"cannot listen anew ({exc.strerror})")

    async def _look(self, files: DataPortTls) -> bool:
        """Serve what the files say if it is new and usable. Return whether anything is served."""
        stamp = await asyncio.to_thread(stamp_of, files)
        if self._identity is not None and stamp == self._identity.stamp:
            self._tell("")
            return True
        try:
            identity = await asyncio.to_thread(load_identity, files)
        except TlsFilesUnusable as exc:
            self._tell(str(exc))
            return self._identity is not None
        await self._serve(identity)
        self._identity, self._problem = identity, ""
        expires_at = identity.expires_at.isoformat()
        _log.info("certificate_loaded", expires_at=expires_at)
        if self._report is not None:
            self._report(expires_at, "")
        return True

    async def _serve(self, identity: TlsIdentity | None) -> None:
        before = self._server
        self._server = await asyncio.get_running_loop().create_server(
            self._protocol,
            sock=self._socket.dup(),
            backlog=_BACKLOG,
            ssl=None if identity is None else identity.context,
            ssl_handshake_timeout=None if identity is None else self._bounds.handshake_s,
            ssl_shutdown_timeout=None if identity is None else self._bounds.linger_s,
        )
        if before is not None:
            before.close()

    def _tell(self, problem: str) -> None:
        """Say once that the files are unusable, and once that they are what is served again."""
        if problem == self._problem:
            return
        self._problem = problem
        if problem:
            _log.error("certificate_not_loaded", problem=problem, serving_old=self._identity is not None)
        if self._report is not None:
            self._report("" if self._identity is None else self._identity.expires_at.isoformat(), problem)
