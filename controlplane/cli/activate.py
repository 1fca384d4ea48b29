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
_TRIED_OR_LATER: Final = ("candidate", "scheduled")


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
@click.option(
    "--mode",
    type=click.Choice(["enforce", "warn", "observe"]),
    default="enforce",
    show_default=True,
    help="warn and observe try it beside what is in force.",
)
@click.option("--canary-percent", type=click.IntRange(0, 100), help="Try it for this share of the subjects.")
@click.option("--promote-after", "promote_after_s", type=click.IntRange(min=1), help="Seconds a canary must hold.")
@click.option("--not-before", help="RFC 3339 time at which it begins.")
@click.option("--expires", "expires_at", help="RFC 3339 time at which what was before comes back.")
@click.option(
    "--break-glass",
    metavar="REASON",
    help="Without the approvals it needs, for --minutes: noted, warned of, and reviewed afterwards.",
)
@click.option("--minutes", type=click.IntRange(5, 1440), default=60, show_default=True, help="Of --break-glass.")
@json_option
@fails_cleanly
def activate(release: str, *, environment: str, wait_s: float, as_json: bool, **how: Any) -> None:
    """Activate RELEASE. The approver does this, and it must be someone else's release.

    Exits 0 only when every worker enforces it, or tries it, or when it is scheduled.
    """
    approver = api("approver")
    current = approver.get(f"/v1/environments/{segment(environment)}")
    made = approver.post(
        "/v1/activations",
        {"release": release, "environment": environment, **_asked(**how)},
        if_match=current.etag,
    ).body
    state = _settled(approver, made, wait_s)
    if as_json:
        show_json(state)
    elif state["state"] in _TRIED_OR_LATER:
        say(f"{release} is {state['state']} as {state['id']}")
    elif state["state"] == "active":
        say(f"{release} is enforced as serial {state['serial']} by {len(state['workers'])} workers")
    else:
        complain(f"{release} is activated as serial {state['serial']}, but not every worker enforces it:")
        for worker in state["workers"]:
            error = f", {plain(worker['error'])}" if worker["error"] else ""
            complain(f"  {worker['node']}/{worker['slot']}: serial {worker['serial']}{error}")
        if not state["workers"]:
            complain("  no node has reported itself within the last seconds")
    sys.exit(0 if state["state"] in {"active", *_TRIED_OR_LATER} else 1)


def _asked(
    *,
    mode: str,
    canary_percent: int | None,
    promote_after_s: int | None,
    break_glass: str | None,
    minutes: int,
    **times: str | None,
) -> dict[str, Any]:
    """Return the members that say how; none that was not asked for, so that older servers take the rest."""
    if promote_after_s is not None and canary_percent is None:
        raise click.UsageError("--promote-after is of a canary: give --canary-percent too")
    asked: dict[str, Any] = {name: at for name, at in times.items() if at is not None}
    if mode != "enforce":
        asked["mode"] = mode
    if canary_percent is not None:
        asked["canary"] = {"subjects_percent": canary_percent, "promote_after_s": promote_after_s}
    if break_glass is not None:
        asked["break_glass"] = {"reason": break_glass, "minutes": minutes}
    return asked


def _settled(approver: ApiClient, made: dict[str, Any], wait_s: float) -> dict[str, Any]:
    give_up_at = time.monotonic() + wait_s
    while True:
        state: dict[str, Any] = approver.get(f"/v1/activations/{made['id']}").body
        if state["state"] != "pending" or time.monotonic() > give_up_at:
            return state
        time.sleep(_POLL_INTERVAL_S)
