# SPDX-License-Identifier: Apache-2.0
"""A private PostgreSQL for the tests, from the binaries of this machine: started in a temporary folder, then removed.

GATEHOUSE_TEST_DATABASE_URL names another server to use instead; without either, tests of PostgreSQL are skipped.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_UNPRIVILEGED = "nobody"
_DEADLINE_S = 60


def postgres_binaries() -> Path | None:
    """Return the folder that has initdb and pg_ctl, the newest where there are several."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    folders = [*([Path(on_path).parent] if on_path else []), *debian]
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


@contextmanager
def private_postgres(binaries: Path) -> Iterator[str]:
    """Yield the URL of a fresh server that only this user can reach."""
    # PostgreSQL refuses to run as root, so a test run by root starts it as nobody.
    drop = ["setpriv", f"--reuid={_UNPRIVILEGED}", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="gh-pg-"))
    folder.chmod(0o777 if drop else 0o700)
    data, port = folder / "db", _free_port()
    environment = {"PATH": f"{binaries}:/usr/bin:/bin", "LC_ALL": "C"}
    options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off -c max_connections=80"

    def call(*command: str) -> None:
        subprocess.run(
            [*drop, *command],
            check=True,
            env=environment,
            cwd=folder,
            timeout=_DEADLINE_S,
            stdout=subprocess.DEVNULL,
        )

    control = (str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"))
    try:
        call(str(binaries / "initdb"), "-D", str(data), "-U", "gatehouse", "--auth=trust", "-E", "UTF8")
        call(*control, "-o", options, "start")
        try:
            yield f"postgresql+psycopg://gatehouse@127.0.0.1:{port}/postgres"
        finally:
            call(*control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
