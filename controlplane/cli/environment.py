# SPDX-License-Identifier: Apache-2.0
"""`gatehouse environment`: what an environment demands of a change, and of its nodes."""

import json
from typing import Any

import click

from controlplane.cli.shared import api, fails_cleanly, json_option, segment, show_json
from controlplane.cli.tables import show_table


@click.group()
def environment() -> None:
    """See and set how environments are run."""


@environment.command()
@click.argument("name", default="production")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="RULE=VALUE",
    help="Such as approvals_required=2 or promote_from=staging; null for none; may be repeated.",
)
@json_option
@fails_cleanly
def rules(name: str, *, changes: tuple[str, ...], as_json: bool) -> None:
    """Show the rules of environment NAME, or change some of them. The admin does this."""
    admin, path = api("admin"), f"/v1/environments/{segment(name)}/rules"
    found = admin.get(path)
    kept = found.body
    if changes:
        kept = admin.put(path, kept["rules"] | dict(map(_change, changes)), if_match=found.etag).body
    if as_json:
        show_json(kept)
    else:
        shown = ((rule, _written(value)) for rule, value in kept["rules"].items())
        show_table(("RULE", "VALUE"), (("version", kept["version"]), ("set_by", kept["set_by"]), *shown))


def _change(text: str) -> tuple[str, Any]:
    rule, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"{text!r} is not RULE=VALUE")
    if rule == "approver_roles":
        return rule, value.split(",")
    try:
        return rule, json.loads(value)
    except ValueError:
        return rule, value


def _written(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else json.dumps(value).strip('"')
