# SPDX-License-Identifier: Apache-2.0
"""`gatehouse hold`: keep records and payloads from erasure and retention."""

from typing import Any

import click

from controlplane.cli.shared import api, fails_cleanly, json_option, say, segment, show_json
from controlplane.cli.tables import show_table


@click.group()
def hold() -> None:
    """Place, list and release legal holds. The admin places them, an approver releases them."""


@hold.command()
@click.option("--reason", required=True, help="Why, for who reads the log; it is kept for good.")
@click.option("--from", "from_", help="RFC 3339 time; records at or after it.")
@click.option("--to", help="RFC 3339 time; records before it.")
@click.option("--subject", help="Such as user:alice; kept as a pseudonym.")
@click.option("--request", "request_ids", multiple=True, help="A request id; may be repeated.")
@click.option("--policy", help="The id of a policy that took part.")
@json_option
@fails_cleanly
def place(*, from_: str | None, request_ids: tuple[str, ...], as_json: bool, **asked: Any) -> None:
    """Hold the records that satisfy all options."""
    body = {"from": from_, "request_ids": list(request_ids), **asked}
    placed = api("admin").post("/v1/legal-holds", {name: value for name, value in body.items() if value}).body
    if as_json:
        show_json(placed)
    else:
        say(placed["id"])


@hold.command()
@click.argument("hold_id")
@json_option
@fails_cleanly
def release(hold_id: str, *, as_json: bool) -> None:
    """Release HOLD_ID, which somebody else placed."""
    released = api("approver").post(f"/v1/legal-holds/{segment(hold_id)}:release", None).body
    if as_json:
        show_json(released)
    else:
        say(f"{hold_id} is released")


@hold.command("list")
@json_option
@fails_cleanly
def list_holds(*, as_json: bool) -> None:
    """List holds, those that were released too."""
    items = list(api("auditor").every("/v1/legal-holds"))
    if as_json:
        show_json({"items": items})
    else:
        show_table(
            ("HOLD", "REASON", "FROM", "TO", "SUBJECT", "POLICY", "REQUESTS", "PLACED BY", "RELEASED BY"),
            (
                (
                    *(item[name] for name in ("id", "reason", "from", "to", "subject", "policy")),
                    ", ".join(item["request_ids"]),
                    item["placed_by"],
                    item["released_by"],
                )
                for item in items
            ),
        )
