# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL that keeps what it acknowledged, and that can be killed and started again."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.databases import postgres_binaries
from tests.ports import unused_port

_DEADLINE_S = 60.0
_UNPRIVILEGED = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


@dataclass
class DurablePostgres:
    """One server, with fsync as it is by default."""

    folder: Path
    binaries: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://gatehouse@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """Return the postmaster's process id: the first line of its pid file."""
        return int((self.folder / "db" / "postmaster.pid").read_text().split()[0])

    def make(self) -> None:
        self._call("initdb", "-D", str(self.folder / "db"), "-U", "gatehouse", "--auth=trust", "-E", "UTF8")

    def start(self) -> None:
        """Start it, also after a kill: it recovers from its journal first."""
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -k {self.folder} -c max_connections=80"
        deadline = time.monotonic() + 2 * _DEADLINE_S
        while True:
            try:
                self._call(
                    "pg_ctl",
                    "-D",
                    str(self.folder / "db"),
                    "-w",
                    "-l",
                    str(self.folder / "log"),
                    "-o",
                    options,
                    "start",
                )
            except subprocess.CalledProcessError as exc:
                # Backends of the one that was killed may still hold the memory it shared with them.
                if time.monotonic() > deadline:
                    told = (self.folder / "log").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"PostgreSQL does not start again:\n{told}") from exc
                time.sleep(0.3)
            else:
                return

    def is_running(self) -> bool:
        """Tell whether its postmaster is alive, ready or not."""
        try:
            postmaster = psutil.Process(self.pid)
            return postmaster.status() != psutil.STATUS_ZOMBIE and str(self.folder) in " ".join(postmaster.cmdline())
        except (OSError, ValueError, psutil.NoSuchProcess):
            return False

    def stop(self) -> None:
        with suppress(subprocess.CalledProcessError):
            self._call("pg_ctl", "-D", str(self.folder / "db"), "-w", "-m", "immediate", "stop")

    def _call(self, program: str, *arguments: str) -> None:
        drop = _UNPRIVILEGED if os.geteuid() == 0 else ()
        subprocess.run(
            [*drop, str(self.binaries / program), *arguments],
            check=True,
            env={"PATH": f"{self.binaries}:/usr/bin:/bin", "LC_ALL": "C"},
            cwd=self.folder,
            timeout=_DEADLINE_S,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def durable_postgres() -> Iterator[DurablePostgres]:
    """Yield a running server. Raises LookupError where this machine has none."""
    binaries = postgres_binaries()
    if binaries is None:
        raise LookupError("no PostgreSQL: install initdb and pg_ctl")
    with tempfile.TemporaryDirectory(prefix="gh-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o777 if os.geteuid() == 0 else 0o700)
        server = DurablePostgres(folder, binaries, unused_port())
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()
