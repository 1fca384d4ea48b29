# SPDX-License-Identifier: Apache-2.0
"""`gatehouse retention`: for how long payloads and records are kept."""

from collections.abc import Iterable, Mapping
from typing import Any

import click

from controlplane.cli.shared import api, fails_cleanly, json_option, say, segment, show_json
from controlplane.cli.tables import show_table

_CLASSES = click.Choice(["payloads", "records"])


@click.group()
def retention() -> None:
    """Set for how long payloads and records are kept, and drop what is past it. The admin does this."""


@retention.command("list")
@json_option
@fails_cleanly
def list_policies(*, as_json: bool) -> None:
    """List the policies."""
    answer = api("admin").get("/v1/retention-policies").body
    if as_json:
        show_json(answer)
    else:
        show_table(
            ("CLASS", "DAYS", "SET BY"), ((i["class"], i["days"] or "for good", i["set_by"]) for i in answer["items"])
        )


@retention.command("set")
@click.argument("of", metavar="CLASS", type=_CLASSES)
@click.argument("days")
@json_option
@fails_cleanly
def set_days(of: str, *, days: str, as_json: bool) -> None:
    """Keep DAYS whole days of CLASS (payloads or records); `keep` for good."""
    if days != "keep" and not days.isdigit():
        raise click.UsageError("DAYS is a number, or keep")
    body = {"days": None if days == "keep" else int(days)}
    policy = api("admin").put(f"/v1/retention-policies/{segment(of)}", body).body
    if as_json:
        show_json(policy)
    else:
        say(f"{of} are kept {'for good' if policy['days'] is None else 'for ' + str(policy['days']) + ' days'}")


@retention.command()
@json_option
@fails_cleanly
def apply(*, as_json: bool) -> None:
    """Drop what is past its policy now."""
    answer = api("admin").post("/v1/retention:apply").body
    _show(answer["items"], answer, as_json=as_json)


@retention.command()
@json_option
@fails_cleanly
def drops(*, as_json: bool) -> None:
    """List the days that were dropped, or are announced to be."""
    items = list(api("admin").every("/v1/retention-drops"))
    _show(items, {"items": items}, as_json=as_json)


def _show(items: Iterable[Mapping[str, Any]], answer: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(answer)
    else:
        names = ("day", "class", "state", "first_index", "last_index", "kept", "finished_at")
        show_table(
            ("DAY", "CLASS", "STATE", "FIRST", "LAST", "KEPT", "FINISHED"),
            (tuple(item[name] for name in names) for item in items),
        )
