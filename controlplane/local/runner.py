# SPDX-License-Identifier: Apache-2.0
"""The order of a start and of a stop, and the one screen a stranger sees."""

import asyncio
import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from controlplane.local import parts, seed
from controlplane.local.control_socket import listen
from controlplane.local.materials import ensure_materials
from controlplane.local.parts import RunSettings, free_port
from controlplane.local.supervisor import PartFailed, Supervisor

# A cold start imports torch from a cold disk; a second start takes a tenth of this.
_HEALTHY_DEADLINE_S: Final = 120.0
_BUILD_MODEL_DEADLINE_S: Final = 120

# What takes requests goes first; the control plane stays until the proxy has shipped its last records.
_STOP_ORDER: Final = ("proxy", "opa", "controlplane", "inference")

Announce = Callable[[str], None]


class AlreadyRunning(Exception):
    """The home or one of its ports is in use. The text names which and what to set."""


async def run_until_stopped(settings: RunSettings, *, announce: Announce) -> None:
    """Start everything, show the screen, and stop everything in order on SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(settings, announce=announce, stop=stop):
        if not stop.is_set():
            announce(screen(settings))
            await stop.wait()
            announce("")


@asynccontextmanager
async def running(settings: RunSettings, *, announce: Announce, stop: asyncio.Event) -> AsyncIterator[Supervisor]:
    """Everything runs and is healthy while the context is open. Setting `stop` during the start ends the start."""
    settings.home.create()
    with _only_one(settings):
        supervisor = Supervisor(settings.home)
        commands = {"stop": supervisor.stop, "start": supervisor.start}
        async with listen(settings.home, commands):
            try:
                starting = asyncio.create_task(_start(settings, supervisor, announce))
                stopping = asyncio.create_task(stop.wait())
                await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
                stopping.cancel()
                if starting.done():
                    starting.result()
                else:
                    starting.cancel()
                yield supervisor
            finally:
                await supervisor.close(_STOP_ORDER, announce=announce)
                announce("Everything is stopped.")


async def _start(settings: RunSettings, supervisor: Supervisor, announce: Announce) -> None:
    """Launch everything at once and wait: each part copes with the others coming later, and imports take longest."""
    home = settings.home
    first = not home.credentials.exists()
    announce("First start: making keys, a local CA and the demonstration …" if first else "Starting …")
    ensure_materials(home)
    tokens = seed.ensure_tokens(home)
    seed.write_credentials(settings, tokens, home.read_credentials().get("keys", {}))
    upstream = settings.upstream
    if upstream is None:
        await asyncio.to_thread(_build_parrot, settings)
        inference = parts.inference(settings, port=free_port())
        upstream = inference.address
        await supervisor.launch(inference)
    if settings.opa is not None:
        await supervisor.launch(parts.opa(settings))
    await supervisor.launch(parts.proxy(settings, upstream=upstream))
    control_plane = parts.control_plane(settings)
    await asyncio.to_thread(seed.initialise, control_plane, tokens)
    await supervisor.launch(control_plane)
    await supervisor.until_healthy(control_plane.name, deadline_s=_HEALTHY_DEADLINE_S)
    await asyncio.to_thread(seed.ensure_policies, settings, tokens)
    seed.write_credentials(settings, tokens, await asyncio.to_thread(seed.ensure_keys, settings, tokens))
    for name in supervisor.names():
        await supervisor.until_healthy(name, deadline_s=_HEALTHY_DEADLINE_S)


def _build_parrot(settings: RunSettings) -> None:
    try:
        subprocess.run(
            [sys.executable, "-m", "inference", "build-parrot", str(settings.home.parrot)],
            check=True,
            capture_output=True,
            timeout=_BUILD_MODEL_DEADLINE_S,
        )
    except subprocess.CalledProcessError as exc:
        raise PartFailed(f"the demonstration model could not be built:\n{exc.stderr.decode()[-2000:]}") from exc


@contextmanager
def _only_one(settings: RunSettings) -> Iterator[None]:
    """Hold the home's lock, and see that nobody has the ports. Raises AlreadyRunning."""
    descriptor = os.open(settings.home.supervisor_lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise AlreadyRunning(
                f"Gatehouse already runs in {settings.home.root}. Set GATEHOUSE_HOME for a second copy.",
            ) from exc
        for port, variable in (
            (settings.api_port, "GATEHOUSE_API_PORT"),
            (settings.proxy_port, "GATEHOUSE_PROXY_PORT"),
            (settings.health_port, "GATEHOUSE_HEALTH_PORT"),
        ):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError as exc:
                    raise AlreadyRunning(f"port {port} is taken. Set {variable} to another one.") from exc
        yield
    finally:
        os.close(descriptor)


def screen(settings: RunSettings) -> str:
    """Return what a stranger needs first: addresses, credentials, and three commands to try."""
    credentials = settings.home.credentials
    model = "MODEL" if settings.upstream else parts.MODELS[0]
    key = f"$(python3 -c \"import json; print(json.load(open('{credentials}'))['keys']['alice'])\")"
    guard = f"OPA server ({settings.opa})" if settings.opa else "embedded Rego engine (no OPA server here)"
    return f"""
[bold]Gatehouse runs.[/] Ctrl-C stops it.

  Proxy          {settings.proxy_url}/v1        (give this to OpenAI clients as base_url)
  Control plane  {settings.api_url}           (API docs: {settings.api_url}/docs)
  Monitoring     {settings.health_url}           (/readyz, /metrics)
  Inference      {settings.upstream or "parrot, a demonstration model that repeats what you say"}
  Guards         {guard}
  Credentials    {credentials}

Try:

  1. Say something, and see the card number go:
     curl -s {settings.proxy_url}/v1/chat/completions -H "Authorization: Bearer {key}" \\
       -H 'Content-Type: application/json' \\
       -d '{{"model":"{model}","messages":[{{"role":"user","content":"my card is 4111 1111 1111 1111"}}]}}'

  2. See what was decided, as the auditor:
     .venv/bin/gatehouse decisions query

  3. See which policies decide, as the author:
     .venv/bin/gatehouse policy list
""".replace("[{", r"\[{")
