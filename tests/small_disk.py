# SPDX-License-Identifier: Apache-2.0
"""A small real disk: a tmpfs, which root alone can mount."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(path: Path, *, size_bytes: int) -> Iterator[Path]:
    """Mount one at `path`; skip where there is no right to."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "none", path]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a tmpfs")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def fill(filler: Path, *, but_bytes: int = 0) -> None:
    """Write to `filler` until there is no room left but for `but_bytes`."""
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(max(0, file.tell() - but_bytes))
