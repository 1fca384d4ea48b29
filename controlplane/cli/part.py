# SPDX-License-Identifier: Apache-2.0
"""`gatehouse part`: stop and start one process of a running Gatehouse, to see what the others make of it."""

import json

import click

from controlplane.cli.shared import fails_cleanly, home, json_option, out, show_json, show_table
from controlplane.local.control_socket import NotRunning, ask


@click.group()
def part() -> None:
    """Stop and start single parts of a running Gatehouse."""


@part.command()
@click.argument("name")
@fails_cleanly
def stop(name: str) -> None:
    """Stop the part NAME and leave it stopped."""
    ask(home(), "stop", name)
    out.print(f"{name} is stopped")


@part.command()
@click.argument("name")
@fails_cleanly
def start(name: str) -> None:
    """Start the part NAME and wait until it is healthy."""
    ask(home(), "start", name)
    out.print(f"{name} runs")


@part.command("list")
@json_option
@fails_cleanly
def list_parts(*, as_json: bool) -> None:
    """List the parts with their state, process id and address."""
    try:
        listed = json.loads(home().processes.read_bytes())
    except FileNotFoundError as exc:
        raise NotRunning(f"nothing runs in {home().root}; start it with `gatehouse run`") from exc
    if as_json:
        show_json(listed)
        return
    show_table(
        ("PART", "STATE", "PID", "RESTARTS", "ADDRESS"),
        ((p["name"], p["state"], p["pid"], p["restarts"], p["address"]) for p in listed["parts"]),
    )
