# SPDX-License-Identifier: Apache-2.0
"""`gatehouse activate`: put a release to work, and wait until every worker says that it enforces it."""

import sys
import time
from typing import Any, Final

import click

from controlplane.cli.shared import api, complain, fails_cleanly, json_option, say, segment, show_json
from controlplane.cli.tables import plain
from controlplane.client import ApiClient

_POLL_INTERVAL_S: Final = 0.1


@click.command()
@click.argument("release")
@click.option("--environment", default="production", show_default=True)
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Seconds to wait for the workers.",
)
@json_option
@fails_cleanly
def activate(release: str, *, environment: str, wait_s: float, as_json: bool) -> None:
    """Activate RELEASE. The approver does this, and it must be someone else's release.

    Exits 0 only when every worker enforces it.
    """
    approver = api("approver")
    current = approver.get(f"/v1/environments/{segment(environment)}")
    made = approver.post(
        "/v1/activations",
        {"release": release, "environment": environment},
        if_match=current.etag,
    ).body
    state = _settled(approver, made, wait_s)
    if as_json:
        show_json(state)
    elif state["state"] == "active":
        say(f"{release} is enforced as serial {state['serial']} by {len(state['workers'])} workers")
    else:
        complain(f"{release} is activated as serial {state['serial']}, but not every worker enforces it:")
        for worker in state["workers"]:
            error = f", {plain(worker['error'])}" if worker["error"] else ""
            complain(f"  {worker['node']}/{worker['slot']}: serial {worker['serial']}{error}")
        if not state["workers"]:
            complain("  no node has reported itself within the last seconds")
    sys.exit(0 if state["state"] == "active" else 1)


def _settled(approver: ApiClient, made: dict[str, Any], wait_s: float) -> dict[str, Any]:
    give_up_at = time.monotonic() + wait_s
    while True:
        state: dict[str, Any] = approver.get(f"/v1/activations/{made['id']}").body
        if state["state"] != "pending" or time.monotonic() > give_up_at:
            return state
        time.sleep(_POLL_INTERVAL_S)
