# SPDX-License-Identifier: Apache-2.0
"""What the OPA pool is told by its environment."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from proxy_addons.settings import Environment, SettingInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    node_dir: Path
    binary: Path
    bundle_key_file: Path | None
    bundle_key_id: str
    bundle_keys_dir: Path | None = None

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "PoolSettings":
        """Return the settings in `variables`. Raises SettingInvalid for the first that is missing or wrong."""
        read = Environment(variables)
        named = read.text("OPA_BINARY", "opa")
        binary = shutil.which(named, path=variables.get("PATH", os.defpath))
        if binary is None:
            raise SettingInvalid("GATEHOUSE_OPA_BINARY", "names no executable; install OPA 1.x or set its path")
        keys_dir = read.text("BUNDLE_KEYS_DIR", "")
        key_file = read.optional_file("BUNDLE_KEY_FILE") if keys_dir else read.file("BUNDLE_KEY_FILE")
        return cls(
            node_dir=Path(read.text("NODE_DIR")).absolute(),
            binary=Path(binary).absolute(),
            bundle_key_file=None if key_file is None else key_file.absolute(),
            bundle_key_id=read.identifier("BUNDLE_KEY_ID", "gatehouse-1"),
            bundle_keys_dir=Path(keys_dir).absolute() if keys_dir else None,
        )

    @property
    def bundles_dir(self) -> Path:
        return self.node_dir / "bundles"

    @property
    def opa_dir(self) -> Path:
        """Where the pool says what it runs: `directory`, `children.json` and, if the path is short, sockets."""
        return self.node_dir / "opa"
