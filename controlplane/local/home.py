# SPDX-License-Identifier: Apache-2.0
"""Where one copy of Gatehouse keeps its state: every path under GATEHOUSE_HOME, in one place."""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Home:
    """Paths under one `root`. Two homes never share anything, so that two copies run side by side."""

    root: Path

    @classmethod
    def from_environment(cls, environment: dict[str, str] | os._Environ[str]) -> "Home":
        return cls(Path(environment.get("GATEHOUSE_HOME") or ".gatehouse").absolute())

    @property
    def credentials(self) -> Path:
        return self.root / "credentials.json"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def log_key(self) -> Path:
        return self.keys / "log-signing.key"

    @property
    def ca(self) -> Path:
        return self.root / "ca"

    @property
    def database(self) -> Path:
        return self.root / "controlplane" / "gatehouse.db"

    @property
    def parrot(self) -> Path:
        return self.root / "models" / "parrot"

    @property
    def node(self) -> Path:
        return self.root / "node"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def processes(self) -> Path:
        return self.root / "run" / "processes.json"

    @property
    def supervisor_lock(self) -> Path:
        return self.root / "run" / "supervisor.lock"

    @property
    def supervisor_socket(self) -> Path:
        return self.root / "run" / "supervisor.sock"

    def create(self) -> None:
        """Make the folders, readable by their owner alone: keys, prompts' digests and records live here."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        for folder in (self.keys, self.ca, self.database.parent, self.parrot.parent, self.node, self.logs):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.processes.parent.mkdir(mode=0o700, exist_ok=True)

    def read_credentials(self) -> dict[str, Any]:
        """Return what `credentials.json` holds; empty before the first start has finished."""
        try:
            held: dict[str, Any] = json.loads(self.credentials.read_bytes())
        except FileNotFoundError:
            return {}
        return held


def write_private(path: Path, content: bytes) -> None:
    """Put `content` at `path` with mode 0600, whole or not at all, also when the machine stops in between."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")  # mkstemp gives mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
