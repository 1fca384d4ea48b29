# SPDX-License-Identifier: Apache-2.0
"""`gatehouse release`: make the current policies into one immutable release."""

import click

from controlplane.cli.shared import api, fails_cleanly, json_option, out, show_json


@click.command()
@click.option("--description", "-m", default="", help="Why, for those who approve and audit.")
@json_option
@fails_cleanly
def release(*, description: str, as_json: bool) -> None:
    """Compile the current policies, run their tests, and keep the result as a release. The author does this."""
    made = api("author").post("/v1/policy-sets/default/releases", {"description": description}).body
    if as_json:
        show_json(made)
    else:
        out.print(f"{made['id']}  {made['revision']}")
        out.print(f"Put it to work with: gatehouse activate {made['id']}")
