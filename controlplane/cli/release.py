# SPDX-License-Identifier: Apache-2.0
"""`gatehouse release`: make the current policies into one immutable release."""

import click

from controlplane.cli.shared import api, fails_cleanly, json_option, say, show_json
from controlplane.cli.tables import show_table


@click.group(invoke_without_command=True)
@click.option("--description", "-m", default="", help="Why, for those who approve and audit.")
@json_option
@click.pass_context
@fails_cleanly
def release(context: click.Context, *, description: str, as_json: bool) -> None:
    """Compile the current policies, run their tests, and keep the result as a release. The author does this."""
    if context.invoked_subcommand is not None:
        return
    made = api("author").post("/v1/policy-sets/default/releases", {"description": description}).body
    if as_json:
        show_json(made)
    else:
        say(f"{made['id']}  {made['revision']}")
        for warning in made["warnings"]:
            say(f"Warning: {warning['message']}")
        say(f"Put it to work with: gatehouse activate {made['id']}")


@release.command("list")
@json_option
@fails_cleanly
def list_releases(*, as_json: bool) -> None:
    """List the releases, the oldest first."""
    items = list(api("author").every("/v1/policy-sets/default/releases"))
    if as_json:
        show_json({"items": items})
    else:
        show_table(
            ("RELEASE", "REVISION", "AUTHOR", "CREATED", "DESCRIPTION"),
            ((i["id"], i["revision"], i["author"], i["created_at"], i["description"]) for i in items),
        )
