# SPDX-License-Identifier: Apache-2.0
"""`gatehouse activation` and `gatehouse rollback`: see how a release is put to work, and end that."""

from typing import Any

import click

from controlplane.cli.shared import api, fails_cleanly, json_option, say, segment, show_json
from controlplane.cli.tables import plain, show_table


@click.group()
def activation() -> None:
    """Show activations, promote candidates, cancel what is scheduled."""


@activation.command(name="list")
@json_option
@fails_cleanly
def list_activations(*, as_json: bool) -> None:
    """List the activations, the oldest first."""
    found = list(api("approver").every("/v1/activations"))
    if as_json:
        show_json({"items": found})
        return
    show_table(
        ("id", "environment", "serial", "state", "release", "created_at"),
        [
            (one["id"], one["environment"], str(one["serial"] or "-"), one["state"], one["release"], one["created_at"])
            for one in found
        ],
    )


@activation.command()
@click.argument("activation_id")
@json_option
@fails_cleanly
def show(activation_id: str, *, as_json: bool) -> None:
    """Show an activation: its history, and what each live worker says of it."""
    _show(api("approver").get(f"/v1/activations/{segment(activation_id)}").body, as_json=as_json)


@activation.command()
@click.argument("activation_id")
@json_option
@fails_cleanly
def promote(activation_id: str, *, as_json: bool) -> None:
    """Put a candidate in force for everybody."""
    _show(api("approver").post(f"/v1/activations/{segment(activation_id)}:promote").body, as_json=as_json)


@activation.command()
@click.argument("activation_id")
@json_option
@fails_cleanly
def cancel(activation_id: str, *, as_json: bool) -> None:
    """End what is scheduled, or a candidate."""
    _show(api("approver").post(f"/v1/activations/{segment(activation_id)}:cancel").body, as_json=as_json)


@click.command()
@click.option("--environment", default="production", show_default=True)
@click.option(
    "--from-serial",
    type=click.IntRange(min=1),
    help="Go back only if this serial is in force or tried still, so that asking twice goes back once.",
)
@json_option
@fails_cleanly
def rollback(*, environment: str, from_serial: int | None, as_json: bool) -> None:
    """Put what was in force before back to work, at once. It was approved before, and needs no approval now."""
    body = {} if from_serial is None else {"from_serial": from_serial}
    _show(api("approver").post(f"/v1/environments/{segment(environment)}:rollback", body).body, as_json=as_json)


def _show(shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(shown)
        return
    serial = "no serial yet" if shown["serial"] is None else f"serial {shown['serial']}"
    say(f"{shown['id']} is {shown['state']} in {plain(shown['environment'])}: {serial}, release {shown['release']}")
    for line in shown["history"]:
        say(f"  {line['at']} {line['state']} by {plain(line['by'])}: {plain(line['why'])}")
    for worker in shown["workers"]:
        does = "yes" if worker["enforces"] else "no"
        say(f"  {plain(worker['node'])}/{plain(worker['slot'])}: {does}, enforces serial {worker['serial']}")
