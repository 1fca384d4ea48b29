# SPDX-License-Identifier: Apache-2.0
"""The engine on which the policy tests of a release run: the one that the nodes run, wherever it is to be had.

Theory: a test that passes on another engine than the one that decides says nothing about what will be decided. So a
real OPA is started for the tests, on a Unix socket in a private folder, from a packed and signed bundle, and asked by
the very adapter that the proxy uses. Only where the nodes run the embedded engine, or where there is no OPA binary, is
the embedded engine asked.
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from policies.bundle.jws import SigningKey
from policies.bundle.members import guard_data, rego_modules
from policies.bundle.pack import Bundle, pack
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.embedded_rego import EmbeddedGuard
from policies.engines.ports import GuardEngine
from policies.evaluation.bulk import GuardMany, OneByOne
from policies.evaluation.opa_many import MODULE, MODULE_ID, OpaMany

# A test asks what is decided, not how fast; on a busy machine OPA's first answer takes longer than the proxy waits.
_DEADLINE_S: Final = 5.0
# OPA listens once it has loaded its bundle: 0.1 s here, seconds where every core is taken.
_START_DEADLINE_S: Final = 20.0
_LOOK_EVERY_S: Final = 0.01
_STOP_DEADLINE_S: Final = 3.0
_KEY_ID: Final = "policy-tests"

# Between fork and exec a process with threads may do next to nothing, so that a fresh interpreter asks the kernel to
# end it with us, and then becomes OPA. Left alone after a `kill -9`, OPA would serve for ever.
_BECOME: Final = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); "
    "os.getppid() == int(sys.argv[1]) or os._exit(70); os.execv(sys.argv[2], sys.argv[2:])"
)


class GuardEngineName(StrEnum):
    """What evaluates guards on the nodes."""

    OPA = "opa"
    EMBEDDED = "embedded"


class OpaNotStarted(Exception):
    """The OPA binary did not serve the bundle. The text may be shown to authors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegoEngines:
    """What the nodes evaluate guards with, and the OPA binary of this machine, if any."""

    nodes: GuardEngineName
    opa_binary: str | None

    @asynccontextmanager
    async def guard(
        self, snapshot: PolicySnapshot, *, serial: int = 1, deadline_s: float = _DEADLINE_S
    ) -> AsyncIterator[GuardEngine]:
        """Give the engine that policy tests ask. Raises OpaNotStarted, or RegoRefused for what it cannot run.

        `serial` is what OPA states beside the revision. An OPA lives no longer than the thread that asks for it.
        """
        if self.opa_binary is not None and self.nodes is GuardEngineName.OPA and snapshot.guards:
            async with _opa(self.opa_binary, snapshot, serial=serial, deadline_s=deadline_s) as (engine, _):
                yield engine
            return
        embedded = EmbeddedGuard(
            snapshot,
            modules=rego_modules(snapshot),
            data=guard_data(snapshot),
            deadline_s=deadline_s,
        )
        try:
            yield embedded
        finally:
            await embedded.close()

    @asynccontextmanager
    async def many(self, snapshot: PolicySnapshot) -> AsyncIterator[tuple[GuardEngine, GuardMany]]:
        """Give the engine that decides, and what asks it many questions at once. Raises as `guard` does."""
        if self.opa_binary is not None and self.nodes is GuardEngineName.OPA and snapshot.guards:
            async with _opa(self.opa_binary, snapshot) as (engine, address):
                await _add_module(address)
                yield engine, engine
            return
        async with self.guard(snapshot) as embedded:
            yield embedded, OneByOne(embedded)


async def _add_module(address: str) -> None:
    """Give OPA the module that asks many questions in one query."""
    transport = httpx.AsyncHTTPTransport(uds=address)
    async with httpx.AsyncClient(transport=transport, trust_env=False, timeout=_DEADLINE_S) as opa:
        try:
            answer = await opa.put(f"http://opa/v1/policies/{MODULE_ID}", content=MODULE)
        except httpx.HTTPError as exc:
            raise OpaNotStarted(f"OPA took no module ({type(exc).__name__})") from exc
    if answer.status_code != httpx.codes.OK:
        raise OpaNotStarted(f"OPA took no module (status {answer.status_code})")


@asynccontextmanager
async def _opa(
    binary: str, snapshot: PolicySnapshot, *, serial: int = 1, deadline_s: float = _DEADLINE_S
) -> AsyncIterator[tuple[OpaMany, str]]:
    signer = SigningKey(id=_KEY_ID, key=ec.generate_private_key(ec.SECP256R1()))
    bundle = pack(snapshot, serial=serial, signer=signer)
    with tempfile.TemporaryDirectory(prefix="gatehouse-opa-") as name:
        folder = Path(name)
        process = _start(binary, folder, bundle, signer)
        try:
            socket_path = folder / "opa.sock"
            await _until_listening(process, socket_path)
            engine = OpaMany(
                snapshot,
                manifest_revision=bundle.manifest_revision,
                address=str(socket_path),
                deadline_s=deadline_s,
            )
            try:
                yield engine, str(socket_path)
            finally:
                await engine.close()
        finally:
            # Others may be asked on this loop meanwhile.
            await asyncio.to_thread(_stop, process)


def _start(binary: str, folder: Path, bundle: Bundle, signer: SigningKey) -> "subprocess.Popen[bytes]":
    (folder / "bundle.tar.gz").write_bytes(bundle.content)
    (folder / "key.pem").write_bytes(
        signer.key.public_key().public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo,
        ),
    )
    return subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid())),
            *(str(Path(binary).absolute()), "run", "--server", "--addr", f"unix://{folder}/opa.sock"),
            *("--verification-key", "key.pem", "--verification-key-id", _KEY_ID),
            *("--signing-alg", "ES256", "--scope", "read"),
            # The version check would call home.
            *("--skip-version-check", "--log-level", "error", "--unix-socket-perm", "700"),
            *("--bundle", "bundle.tar.gz"),
        ],
        cwd=folder,
        # Nothing of ours is in its environment: `opa.runtime` could show it.
        env={"PATH": os.defpath, "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def _until_listening(process: "subprocess.Popen[bytes]", socket_path: Path) -> None:
    give_up_at = time.monotonic() + _START_DEADLINE_S
    while not _listens(socket_path):
        if process.poll() is not None:
            raise OpaNotStarted(f"OPA ended with status {process.returncode} instead of serving the policy tests")
        if time.monotonic() > give_up_at:
            raise OpaNotStarted(f"OPA did not serve the policy tests within {_START_DEADLINE_S:g} s")
        await asyncio.sleep(_LOOK_EVERY_S)


def _listens(path: Path) -> bool:
    """Between bind and listen the socket is there and refuses."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
