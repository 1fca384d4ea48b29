# SPDX-License-Identifier: Apache-2.0
"""How the environment is to be run, as its signed document says (`docs/spec/environment-document.md`).

The file holds the number of the document in force, a line end, and the document. Its number counts also where the
document's key is not configured any more: a document below it is a replay, which would bring back what was withdrawn.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from policies.bundle.environment import EnvironmentDocument
from policies.contracts.errors import BundleRejected
from proxy_addons.clients.control_plane import Fetched
from proxy_addons.durable import write_durably
from proxy_addons.node.bundle_store import StateUnreadable

_log: Final = structlog.get_logger()

NOT_NEWER: Final = "number-not-newer"


class EnvironmentFollower:
    """The Acceptor of the environment feed. `verify(content)` raises BundleRejected.

    `use(document)` is called with each document that comes into force. `rejected` is why the newest one did not.
    Raises StateUnreadable where a number was kept that cannot be read.
    """

    def __init__(
        self,
        path: Path,
        *,
        verify: Callable[[bytes], EnvironmentDocument],
        use: Callable[[EnvironmentDocument], None],
    ) -> None:
        self.etag: str | None = None
        self.rejected: str | None = None
        self.document: EnvironmentDocument | None = None
        self._path = path
        self._verify = verify
        self._use = use
        self._number, self._kept = _read(path)

    @property
    def refused(self) -> bool:
        return self.rejected is not None

    @property
    def number(self) -> int | None:
        """The number of the document in force; None where there is none."""
        return None if self.document is None else self.document.number

    async def resume(self) -> None:
        """Go on by the document that was kept, unless one is in force."""
        kept, self._kept = self._kept, b""
        if self.document is not None or not kept:
            return
        try:
            document = await asyncio.to_thread(self._verify, kept)
        except BundleRejected as exc:
            _log.error("environment_not_resumed", code=exc.code)  # the code says which check
            return
        if document.number == self._number:
            self._put_in_force(document)

    async def accept(self, fetched: Fetched) -> None:
        try:
            document = await asyncio.to_thread(self._verify, fetched.content)
        except BundleRejected as exc:
            self._reject(exc.code, fetched)
            return
        if document.number < self._number:
            self._reject(NOT_NEWER, fetched)
            return
        if document.number > self._number or self.document is None:
            kept = b"%d\n%s" % (document.number, fetched.content)
            await asyncio.to_thread(write_durably, self._path, kept)
            self._number = document.number
            self._put_in_force(document)
        self.rejected = None
        self.etag = fetched.etag or None

    def _put_in_force(self, document: EnvironmentDocument) -> None:
        self.document = document
        candidate = None if document.candidate is None else document.candidate.serial
        _log.info("environment_in_force", number=document.number, candidate=candidate)
        self._use(document)

    def _reject(self, code: str, fetched: Fetched) -> None:
        """Ask for anything but this one until there is something else."""
        self.rejected = code
        self.etag = fetched.etag or None
        _log.error("environment_rejected", code=code, in_force=self._number)


def _read(path: Path) -> tuple[int, bytes]:
    """Return the number and the document that were kept; 0 and nothing where none was."""
    try:
        kept = path.read_bytes()
    except FileNotFoundError:
        return 0, b""
    except OSError as exc:
        raise StateUnreadable(f"{path} cannot be read") from exc
    number, _, content = kept.partition(b"\n")
    if not number.isdigit():
        raise StateUnreadable(f"{path} does not begin with a number")
    return int(number), content
