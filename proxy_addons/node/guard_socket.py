# SPDX-License-Identifier: Apache-2.0
"""Whether the OPA of a bundle serves it: asked before any worker is told to use it."""

import asyncio
import json
from pathlib import Path
from typing import Final

import aiohttp

from proxy_addons.opa_pool.sockets import recorded_directory, socket_path

# OPA starts in a tenth of a second; a large bundle on a busy machine takes some.
_WITHIN_S: Final = 10.0
_ASK_EVERY_S: Final = 0.02
_ANSWER_S: Final = 1.0
_LARGEST_ANSWER_BYTES: Final = 64 * 1024
_OK: Final = 200


class GuardUnavailable(Exception):
    """No OPA serves the bundle in time."""


async def guard_address(node_dir: Path, serial: int, *, manifest_revision: str, within_s: float = _WITHIN_S) -> str:
    """Return the socket path of the OPA that serves bundle `serial`, once it answers with `manifest_revision`.

    Raises GuardUnavailable after `within_s`.
    """
    try:
        async with asyncio.timeout(within_s):
            while True:
                directory = recorded_directory(node_dir / "opa")
                if directory is not None:
                    path = socket_path(directory, serial)
                    if path.exists() and await _provenance(path) == manifest_revision:
                        return str(path)
                await asyncio.sleep(_ASK_EVERY_S)
    except TimeoutError:
        raise GuardUnavailable(f"no OPA serves bundle {serial} after {within_s:g} s") from None


async def answers(socket: str) -> bool:
    """Return whether an OPA at `socket` answers for its bundle within a second."""
    return await _provenance(Path(socket)) is not None


async def _provenance(path: Path) -> str | None:
    """Return the revision of the one bundle that the OPA at `path` serves, None if it does not say."""
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(path=str(path)),
                timeout=aiohttp.ClientTimeout(total=_ANSWER_S),
                trust_env=False,
            ) as session,
            session.get("http://opa/v1/data/gatehouse/guard_data?provenance=true") as answer,
        ):
            content = await answer.content.read(_LARGEST_ANSWER_BYTES)
            if answer.status != _OK:
                return None
            bundles = json.loads(content)["provenance"]["bundles"]
            (bundle,) = bundles.values()
            revision = bundle["revision"]
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError, AttributeError):
        return None  # not there yet, or not an OPA with one bundle
    return revision if isinstance(revision, str) else None
