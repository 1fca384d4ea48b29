# SPDX-License-Identifier: Apache-2.0
"""What a node looks at in the file system before it does anything: whether it is alone, and its certificate usable."""

import fcntl
import os
from pathlib import Path

from proxy_addons.clients.segments import size_of
from proxy_addons.data_port_tls import TlsFilesUnusable, load_identity
from proxy_addons.settings import NodeSettings, SettingInvalid


class NodeDirectoryTaken(Exception):
    """Another node runs in the same directory."""


def check_certificate(settings: NodeSettings) -> None:
    """Refuse to start with files that a worker could not use. Later the workers follow them and keep what they have."""
    if settings.proxy_tls is None:
        return
    try:
        load_identity(settings.proxy_tls)
    except TlsFilesUnusable as exc:
        raise SettingInvalid("GATEHOUSE_PROXY_CERT_FILE", f"with its key and authorities: {exc}") from exc


def bytes_below(spool_dir: Path) -> int:
    """Return the size of what the spools of all workers hold."""
    return sum(size_of(path) for path in spool_dir.glob("w*") if path.is_dir())


def lock(settings: NodeSettings) -> int:
    """Return the descriptor that holds the node's directory until it is closed. Raises NodeDirectoryTaken."""
    descriptor = os.open(settings.node_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        raise NodeDirectoryTaken(f"another node runs in {settings.node_dir}") from exc
    return descriptor
