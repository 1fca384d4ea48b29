# SPDX-License-Identifier: Apache-2.0
"""`python -m proxy_addons.opa_pool`: run the pool until SIGTERM or SIGINT."""

import fcntl
import logging
import os
import signal
import sys
import threading
from typing import Final, TextIO

from proxy_addons.durable import private_directory
from proxy_addons.opa_pool.pool import Pool
from proxy_addons.opa_pool.settings import PoolSettings
from proxy_addons.settings import SettingInvalid

_TEND_EVERY_S: Final = 0.05
_EXIT_CONFIGURATION: Final = 78  # EX_CONFIG of sysexits.h


def main() -> int:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    try:
        settings = PoolSettings.read(os.environ)
    except SettingInvalid as exc:
        sys.stderr.write(f"gatehouse opa pool: {exc}\n")
        return _EXIT_CONFIGURATION
    private_directory(settings.opa_dir)
    with (settings.opa_dir / "lock").open("w", encoding="utf-8") as lock:
        if not _lock(lock):
            sys.stderr.write(f"gatehouse opa pool: another one runs for {settings.node_dir}\n")
            return _EXIT_CONFIGURATION
        _run(settings)
    return 0


def _run(settings: PoolSettings) -> None:
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    pool = Pool(settings, runtime_dir=os.environ.get("XDG_RUNTIME_DIR"))
    try:
        while not stopped.wait(_TEND_EVERY_S):
            pool.tend()
    finally:
        pool.stop()


def _lock(file: TextIO) -> bool:
    """Take the pool's lock, False if another process has it. Two pools would remove each other's sockets."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
