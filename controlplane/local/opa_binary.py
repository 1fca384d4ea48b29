# SPDX-License-Identifier: Apache-2.0
"""Find an OPA server or get one: the PATH, a build of the pinned version, the pinned release; else none.

`python -m controlplane.local.opa_binary` prints where it is. None is not an error: the embedded Rego engine takes its
place and says so in every record.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

OPA_VERSION: Final = "1.21.0"
TOOLS: Final = Path(".tools")
"""Where it is kept when it had to be got."""
_MODULE: Final = f"github.com/open-policy-agent/opa@v{OPA_VERSION}"
_RELEASE: Final = f"https://github.com/open-policy-agent/opa/releases/download/v{OPA_VERSION}/"
# SHA-256 of the release's assets as the project publishes them beside each asset.
_ASSETS: Final[Mapping[str, tuple[str, str]]] = {
    "x86_64": ("opa_linux_amd64_static", "5eef70644868bb04d0556bcc795ee42f2ab379e73f51d1bfa30f83e1305bc9b9"),
    "aarch64": ("opa_linux_arm64_static", "0ec34027c15b4d969c21d01ed570fe14fbebd508a08157043ab09f9a0dccbee6"),
}
_LARGEST_ASSET_BYTES: Final = 200 * 1024 * 1024
_BUILD_DEADLINE_S: Final = 900  # a cold build takes 100 s on two cores
# Without a network, the time to connect is lost at every start; between two pieces of 60 MB there may be pauses.
_DOWNLOAD_TIMEOUT: Final = httpx.Timeout(20, connect=3)

Announce = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class OpaFound:
    """An OPA binary that runs, and how it was come by."""

    path: Path
    origin: str


def ensure_opa(tools: Path, *, announce: Announce) -> OpaFound | None:
    """Return an OPA binary, kept in `tools` where it had to be got. None where there is none to be had."""
    found = find_opa(tools)
    if found is not None:
        return found
    kept = _kept(tools)
    kept.parent.mkdir(parents=True, exist_ok=True)
    for get in (_build, _download):
        if get(kept, announce) and _runs(kept):
            link = kept.with_name("opa")
            link.unlink(missing_ok=True)
            link.symlink_to(kept.name)
            return OpaFound(kept.absolute(), "built" if get is _build else "downloaded")
    return None


def find_opa(tools: Path) -> OpaFound | None:
    """Return an OPA binary that is here already: the configured one, one on the PATH, or the one kept in `tools`."""
    configured = os.environ.get("GATEHOUSE_OPA_BINARY")
    on_path = shutil.which("opa")
    kept = str(_kept(tools))
    for candidate, origin in ((configured, "GATEHOUSE_OPA_BINARY"), (on_path, "on the PATH"), (kept, "kept")):
        if candidate and _runs(Path(candidate)):
            return OpaFound(Path(candidate).absolute(), origin)
    return None


def _kept(tools: Path) -> Path:
    return tools / "bin" / f"opa-{OPA_VERSION}"


def _runs(binary: Path) -> bool:
    try:
        answer = subprocess.run([binary, "version"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and b"Rego Version: v1" in answer.stdout


def _build(target: Path, announce: Announce) -> bool:
    go = shutil.which("go")
    if go is None:
        return False
    announce(f"Building OPA {OPA_VERSION} with Go; this takes a minute or two, once …")
    environment = {**os.environ, "GOBIN": str(target.parent.absolute()), "CGO_ENABLED": "0"}
    try:
        done = subprocess.run(
            [go, "install", _MODULE],
            env=environment,
            capture_output=True,
            timeout=_BUILD_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    built = target.with_name("opa")
    if done.returncode != 0 or not built.exists():
        announce("Go could not build it.")
        return False
    built.replace(target)
    return True


def _download(target: Path, announce: Announce) -> bool:
    asset = _ASSETS.get(platform.machine())
    if asset is None or sys.platform != "linux":
        return False
    name, expected = asset
    announce(f"Downloading OPA {OPA_VERSION} …")
    seen = hashlib.sha256()
    partial = target.with_suffix(".partial")
    try:
        with (
            httpx.stream("GET", _RELEASE + name, follow_redirects=True, timeout=_DOWNLOAD_TIMEOUT) as answer,
            partial.open("wb") as file,
        ):
            answer.raise_for_status()
            for piece in answer.iter_bytes():
                seen.update(piece)
                if file.tell() > _LARGEST_ASSET_BYTES:
                    announce("The download is larger than any OPA; refused.")
                    return False
                file.write(piece)
    except (httpx.HTTPError, OSError) as exc:
        partial.unlink(missing_ok=True)
        announce(f"It could not be downloaded ({type(exc).__name__}).")
        return False
    if seen.hexdigest() != expected:
        partial.unlink()
        announce("The download's SHA-256 is not the pinned one; refused.")
        return False
    partial.chmod(0o755)
    partial.replace(target)
    return True


def main() -> None:
    found = ensure_opa(TOOLS, announce=lambda text: print(text, file=sys.stderr))  # noqa: T201 # a command
    if found is None:
        print("No OPA server is to be had here; the embedded Rego engine is used.", file=sys.stderr)  # noqa: T201 # as above
        return
    print(f"{found.path} ({found.origin})")  # noqa: T201 # as above


if __name__ == "__main__":
    main()
