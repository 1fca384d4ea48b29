# SPDX-License-Identifier: Apache-2.0
"""`gatehouse release`: make the current policies into one immutable release, and see it through to approval."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import click

from controlplane.cli.release_approvals import approvals, approve, reject, withdraw
from controlplane.cli.release_gate import gate
from controlplane.cli.release_verify import verify
from controlplane.cli.shared import api, fails_cleanly, json_option, say, segment, show_json
from controlplane.cli.tables import show_table

_RELEASES: Final = "/v1/policy-sets/default/releases"


@click.group(invoke_without_command=True)
@click.option("--description", "-m", default="", help="Why, for those who approve and audit.")
@json_option
@click.pass_context
@fails_cleanly
def release(context: click.Context, *, description: str, as_json: bool) -> None:
    """Compile the current policies, run their tests, and keep the result as a release. The author does this."""
    if context.invoked_subcommand is None:
        _show_made(api("author").post(_RELEASES, {"description": description}).body, as_json=as_json)


@release.command()
@click.option("--environment", default="production", show_default=True)
@click.option("--description", "-m", default="", help="Why, for those who approve and audit.")
@click.option("--untested-reason", default="", help="Why enforcing rules that no test tries are well as they are.")
@json_option
@fails_cleanly
def make(*, environment: str, description: str, untested_reason: str, as_json: bool) -> None:
    """Make a release of the current policies for an environment. The author does this."""
    body = {"environment": environment, "description": description, "untested_reason": untested_reason}
    _show_made(api("author").post(_RELEASES, body).body, as_json=as_json)


@release.command()
@click.argument("release_id")
@click.argument("environment")
@click.option("--untested-reason", default="", help="In place of the one that the release has.")
@json_option
@fails_cleanly
def promote(release_id: str, environment: str, *, untested_reason: str, as_json: bool) -> None:
    """Make a release of the same revisions for ENVIRONMENT. The author does this."""
    body = {"environment": environment, "untested_reason": untested_reason}
    _show_made(api("author").post(f"{_RELEASES}/{segment(release_id)}:promote", body).body, as_json=as_json)


@release.command("list")
@json_option
@fails_cleanly
def list_releases(*, as_json: bool) -> None:
    """List the releases, the oldest first."""
    items = list(api("author").every(_RELEASES))
    if as_json:
        show_json({"items": items})
    else:
        show_table(
            ("RELEASE", "ENVIRONMENT", "REVISION", "AUTHOR", "CREATED", "DESCRIPTION"),
            (
                tuple(item[name] for name in ("id", "environment", "revision", "author", "created_at", "description"))
                for item in items
            ),
        )


@release.command()
@click.argument("release_id")
@json_option
@fails_cleanly
def show(release_id: str, *, as_json: bool) -> None:
    """Show what RELEASE_ID pins, who approved it, and what it passed."""
    client, path = api("author"), f"{_RELEASES}/{segment(release_id)}"
    shown = client.get(path).body
    shown["standing"] = client.get(f"{path}/approvals").body["standing"]
    shown["evidence"] = list(client.every(f"{path}/evidence"))
    if as_json:
        show_json(shown)
        return
    standing = shown["standing"]
    show_table(("MEMBER", "VALUE"), _rows(shown, standing))
    show_table(("POLICY", "REVISION"), sorted(shown["policies"].items()))


def _rows(shown: Mapping[str, Any], standing: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name in ("id", "environment", "revision", "author", "created_at", "description", "promoted_from"):
        yield name, shown[name]
    yield "untested", ", ".join(shown["untested"])
    yield "untested_reason", shown["untested_reason"]
    yield (
        "approved_by",
        f"{len(standing['approved_by'])} of {standing['required']}: {', '.join(standing['approved_by'])}",
    )
    yield "rejected_by", ", ".join(standing["rejected_by"])
    yield "passed", ", ".join(f"{item['kind']} ({item['decisions']} decisions)" for item in shown["evidence"])


def _show_made(made: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(made)
        return
    say(f"{made['id']}  {made['revision']}")
    for warning in made["warnings"]:
        say(f"Warning: {warning['message']}")
    if made["untested"]:
        say(f"No passing test tries {len(made['untested'])} rules that enforce: {', '.join(made['untested'])}")
    option = "" if made["environment"] == "production" else f" --environment {made['environment']}"
    say(f"Put it to work with: gatehouse activate {made['id']}{option}")


for _command in (approvals, approve, gate, reject, verify, withdraw):
    release.add_command(_command)
