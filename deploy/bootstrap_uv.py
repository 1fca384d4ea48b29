# SPDX-License-Identifier: Apache-2.0
"""Get uv with nothing but Python's standard library: `python3 deploy/bootstrap_uv.py TARGET`.

Debian's python3 comes without pip and without venv, so both may be missing where `make setup` runs first. The wheel is
the one PyPI serves, pinned by its SHA-256.
"""

import hashlib
import io
import platform
import sys
import urllib.request
import zipfile
from pathlib import Path

VERSION = "0.13.8"
FILES = "https://files.pythonhosted.org/packages/"
# By machine: the folder on PyPI's file server, the rest of the wheel's name, and its SHA-256.
WHEELS = {
    "x86_64": (
        "c5/32/52ee34636aea1ab3f8baeeae1c3599461b8cddfb379862cc72ac61b8d91c",
        "py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "e18a57b8b352eb7c8feb317b9f6f533c8f0ad9673fd6cf34bbe3cf1a9f6a8984",
    ),
    "aarch64": (
        "80/ce/f5eba24d8ec7fa566f9d50d1a69dbf9510137c30366b9f16dbeaf9b9dae4",
        "py3-none-manylinux_2_28_aarch64.whl",
        "5337c30bb893b4f9ce0ceb921ba2da0d13f649da644f40ad3bef84083bef0203",
    ),
}


def main(target: Path) -> None:
    """Put uv at `target`. Exits with what to do where there is no wheel for this machine or it cannot be fetched."""
    if platform.machine() not in WHEELS or sys.platform != "linux":
        sys.exit(
            f"There is no pinned uv for {sys.platform} on {platform.machine()}; install uv and put it on the PATH."
        )
    folder, name, expected = WHEELS[platform.machine()]
    address = f"{FILES}{folder}/uv-{VERSION}-{name}"
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 # a constant https address
            wheel = answer.read()
    except OSError as exc:
        sys.exit(f"uv could not be fetched ({exc}); install uv and put it on the PATH.")
    if hashlib.sha256(wheel).hexdigest() != expected:
        sys.exit("The wheel of uv is not the pinned one; install uv and put it on the PATH.")
    binary = zipfile.ZipFile(io.BytesIO(wheel)).read(f"uv-{VERSION}.data/scripts/uv")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(binary)
    target.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
