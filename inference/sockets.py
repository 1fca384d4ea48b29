# SPDX-License-Identifier: Apache-2.0
"""The sockets that the server listens on. They are bound before anything else: a taken one is found at once."""

import contextlib
import grp
import os
import socket
import stat
from pathlib import Path
from typing import Final

from inference.settings import SettingsWrong

OWNER_ONLY: Final = 0o600
OWNER_AND_GROUP: Final = 0o660


def bind_tcp(host: str, port: int, *, options: str) -> socket.socket:
    """`options` names where the address comes from, for the message of a refusal."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise SettingsWrong(f"{options}: {host}:{port} is no address: {exc.strerror}") from exc
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as exc:
        listener.close()
        raise SettingsWrong(f"{options}: {host}:{port} cannot be bound: {exc.strerror}") from exc
    return listener


def bind_unix(path: Path, *, group: str | None = None) -> socket.socket:
    """A socket in the file system, for its owner only, or for a group too.

    A socket that nobody listens on any more is replaced; one that is in use and anything else are left alone.
    """
    _remove_stale(path)
    group_id = _group_id(group) if group is not None else None
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The mask, and not a chmod afterwards: between the two anybody could connect.
    mask = os.umask(0o777 & ~OWNER_ONLY)
    try:
        listener.bind(str(path))
        if group_id is not None:
            os.chown(path, -1, group_id)
            path.chmod(OWNER_AND_GROUP)
    except OSError as exc:
        listener.close()
        raise SettingsWrong(f"--socket {path} cannot be bound: {exc.strerror or exc}") from exc
    finally:
        os.umask(mask)
    return listener


def remove_unix(path: Path) -> None:
    """Takes the socket away when the server has stopped. One that is gone already is nobody's fault."""
    with contextlib.suppress(OSError):
        path.unlink()


def _remove_stale(path: Path) -> None:
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as exc:
        raise SettingsWrong(f"--socket {path}: {exc.strerror}") from exc
    if not stat.S_ISSOCK(kind):
        raise SettingsWrong(f"--socket {path} is there and is not a socket: remove it, or give another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except OSError as exc:
            raise SettingsWrong(f"--socket {path} cannot be replaced: {exc.strerror or exc}") from exc
        else:
            raise SettingsWrong(f"--socket {path} is in use: another server listens on it")


def _group_id(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise SettingsWrong(f"--socket-group {name}: there is no such group") from None
