# SPDX-License-Identifier: Apache-2.0
"""The node's bundle files: `bundles/<20-digit serial>.tar.gz`, and which of them was last put to work.

The file stands before workers and OPA hear of it. `activated.json` holds the highest serial ever put to work here, so
that a restart neither goes without policy nor takes an older bundle that somebody replays.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import structlog

from proxy_addons.durable import private_directory, sync_directory, write_durably

_log: Final = structlog.get_logger()

_NAME: Final = re.compile(r"([0-9]{20})\.tar\.gz")
_LARGEST_STATE_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Activated:
    """The bundle last put to work, and the ETag under which it came."""

    serial: int
    etag: str


class StateUnreadable(Exception):
    """What says how new the last bundle or document was cannot be understood: starting anew would accept a replay."""


def etag_of(content: bytes) -> str:
    """Return the ETag that names these bytes (`docs/spec/bundle.md`), without its quotes."""
    return f"sha256-{hashlib.sha256(content).hexdigest()}"


class BundleStore:
    def __init__(self, node_dir: Path) -> None:
        self._directory = private_directory(node_dir / "bundles")
        self._state = node_dir / "activated.json"

    def path(self, serial: int) -> Path:
        return self._directory / f"{serial:020d}.tar.gz"

    def serials(self) -> set[int]:
        named = (_NAME.fullmatch(path.name) for path in self._directory.iterdir())
        return {int(found[1]) for found in named if found}

    def keep(self, serial: int, content: bytes) -> Path:
        """Make the bundle a file, durable and whole, and return its path. Raises OSError."""
        path = self.path(serial)
        write_durably(path, content)
        return path

    def delete(self, serial: int) -> None:
        for file in self._directory.glob(f"{self.path(serial).name}*"):  # and what was prepared of it, beside it
            file.unlink(missing_ok=True)
        sync_directory(self._directory)
        _log.info("bundle_deleted", serial=serial)

    def remember(self, activated: Activated) -> None:
        """Make `activated` the bundle that a restart begins with and below which none is accepted."""
        write_durably(self._state, json.dumps(asdict(activated)).encode())

    def activated(self) -> Activated | None:
        """Return what `remember` was given last, None on a node that never had a bundle. Raises StateUnreadable."""
        try:
            with self._state.open("rb") as file:
                raw = json.loads(file.read(_LARGEST_STATE_BYTES))
            serial, etag = raw["serial"], raw["etag"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise StateUnreadable(f"{self._state} cannot be read") from exc
        if type(serial) is not int or not isinstance(etag, str) or serial < 0:
            raise StateUnreadable(f"{self._state} does not hold a serial and an ETag")
        return Activated(serial=serial, etag=etag)
