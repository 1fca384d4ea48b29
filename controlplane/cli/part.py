# SPDX-License-Identifier: Apache-2.0
"""`gatehouse part`: stop and start one process of a running Gatehouse, to see what the others make of it."""

import json
import os

import click

from controlplane.cli.shared import fails_cleanly, home, json_option, say, show_json
from controlplane.cli.tables import show_table
from controlplane.local.control_socket import NotRunning, ask


@click.group()
def part() -> None:
    """Stop and start single parts of a running Gatehouse."""


@part.command()
@click.argument("name")
@json_option
@fails_cleanly
def stop(name: str, *, as_json: bool) -> None:
    """Stop the part NAME and leave it stopped."""
    ask(home(), "stop", name)
    _say_state(name, "is stopped", as_json=as_json)


@part.command()
@click.argument("name")
@json_option
@fails_cleanly
def start(name: str, *, as_json: bool) -> None:
    """Start the part NAME and wait until it is healthy."""
    ask(home(), "start", name)
    _say_state(name, "runs", as_json=as_json)


@part.command("list")
@json_option
@fails_cleanly
def list_parts(*, as_json: bool) -> None:
    """List the parts with their state, process id and address."""
    try:
        listed = json.loads(home().processes.read_bytes())
    except FileNotFoundError as exc:
        raise NotRunning(f"nothing runs in {home().root}; start it with `gatehouse run`") from exc
    if not _lives(listed["supervisor"]["pid"]):
        # It was killed, and its parts with it; what it wrote last is no longer true.
        raise NotRunning(f"nothing runs in {home().root} any more; start it with `gatehouse run`")
    if as_json:
        show_json(listed)
        return
    show_table(
        ("PART", "STATE", "PID", "RESTARTS", "ADDRESS"),
        ((p["name"], p["state"], p["pid"], p["restarts"], p["address"]) for p in listed["parts"]),
    )


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _say_state(name: str, state: str, *, as_json: bool) -> None:
    if as_json:
        show_json({"name": name, "state": "running" if state == "runs" else "stopped"})
    else:
        say(f"{name} {state}")
