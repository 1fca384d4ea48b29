# SPDX-License-Identifier: Apache-2.0
"""`gatehouse audit witness`: cosign a log's checkpoints, on a machine that its operator does not own."""

import asyncio
import json
import re
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from controlplane.audit.note_keys import KeyKind, KeyMalformed, VerifierKey
from controlplane.audit.witness import Witness
from controlplane.audit.witness_server import WitnessServer
from controlplane.audit.witness_state import StateFolder, StateUnusable

_ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:]+)):([0-9]{1,5})", re.ASCII)
_LARGEST_PORT: Final = 65_535


@click.command()
@click.option(
    "--listen",
    default="127.0.0.1:8099",
    show_default=True,
    metavar="HOST:PORT",
    help="Where to answer, in plain HTTP: put a proxy with TLS before it for others than this machine.",
)
@click.option(
    "--state",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder where it remembers what it cosigned, and its key unless --key-file says where.",
)
@click.option("--log", "logs", multiple=True, required=True, metavar="VKEY", help="The key of a log to witness.")
@click.option(
    "--key-file", type=click.Path(dir_okay=False, path_type=Path), help="Its own key; made where it is not there."
)
@click.option("--name", help="What a new key is called; witness/ and the name of this machine unless given.")
@click.option("--json", "as_json", is_flag=True, help="Print the key and the address as JSON.")
def witness(
    *, listen: str, state: Path, logs: Sequence[str], key_file: Path | None, name: str | None, as_json: bool
) -> None:
    """Cosign checkpoints of the given logs, each only where it is consistent with the one before.

    It answers C2SP's tlog-witness protocol until it is stopped, and prints its own key first: give that to the log's
    operator and to everyone who verifies. Keep the folder: a witness that forgets what it signed can be shown another
    history.
    """
    host, port = _address(listen)
    known = [_log_key(text) for text in logs]
    try:
        folder = StateFolder.open(state, key_file=key_file, name=name or f"witness/{socket.gethostname()}", logs=known)
    except StateUnusable as exc:
        raise click.ClickException(str(exc)) from exc
    try:
        server = WitnessServer(Witness(folder.key, known, folder, time.time))
        asyncio.run(_run(server, host, port, str(folder.key.verifier), as_json=as_json))
    except OSError as exc:
        raise click.ClickException(f"it cannot listen on {listen} ({exc.strerror or exc})") from exc
    finally:
        folder.close()


async def _run(server: WitnessServer, host: str, port: int, vkey: str, *, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    listening = await server.start(host, port)
    try:
        at_host, at_port = listening.sockets[0].getsockname()[:2]
        shown = f"[{at_host}]" if ":" in at_host else at_host
        url = f"http://{shown}:{at_port}"
        if as_json:
            click.echo(json.dumps({"key": vkey, "url": url}))
        else:
            click.echo(f"Key:     {vkey}")
            click.echo(f"Listens: {url}  (Ctrl-C stops it)")
        await stop.wait()
    finally:
        listening.close()  # connections that are open end with the loop: nobody waits for a log that keeps one


def _address(text: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[3]) > _LARGEST_PORT:
        raise click.UsageError(f"--listen {text} is not HOST:PORT, such as 127.0.0.1:8099 or [::1]:8099")
    return found[1] or found[2], int(found[3])


def _log_key(text: str) -> VerifierKey:
    try:
        key = VerifierKey.parse(text)
    except KeyMalformed as exc:
        raise click.UsageError(f"--log {text}: {exc}") from exc
    if key.kind is not KeyKind.NOTE:
        raise click.UsageError(f"--log {text}: it is a cosigner's key; a log signs with a key of type 1")
    return key
