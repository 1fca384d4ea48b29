# SPDX-License-Identifier: Apache-2.0
"""`gatehouse release approve`, `reject`, `withdraw`, `approvals`: whose word a release has."""

import click

from controlplane.cli.shared import api, fails_cleanly, json_option, say, segment, show_json
from controlplane.cli.tables import show_table


@click.command()
@click.argument("release_id")
@click.option("--revision", help="The one that you looked at; refused where the release is another.")
@click.option("--comment", "-m", default="", help="Why, for those who activate and audit.")
@json_option
@fails_cleanly
def approve(release_id: str, *, revision: str | None, comment: str, as_json: bool) -> None:
    """Approve RELEASE_ID, which others wrote, for its environment. An approver does this."""
    _give(release_id, "approve", revision=revision, comment=comment, as_json=as_json)


@click.command()
@click.argument("release_id")
@click.option("--revision", help="The one that you looked at; refused where the release is another.")
@click.option("--comment", "-m", default="", help="What is wrong with it.")
@json_option
@fails_cleanly
def reject(release_id: str, *, revision: str | None, comment: str, as_json: bool) -> None:
    """Reject RELEASE_ID: nobody activates it until you withdraw that. An approver does this."""
    _give(release_id, "reject", revision=revision, comment=comment, as_json=as_json)


@click.command()
@click.argument("release_id")
@click.argument("approval_id")
@json_option
@fails_cleanly
def withdraw(release_id: str, approval_id: str, *, as_json: bool) -> None:
    """Withdraw APPROVAL_ID, your own approval or rejection of RELEASE_ID."""
    withdrawn = api("approver").post(f"{_path(release_id)}/approvals/{segment(approval_id)}:withdraw").body
    if as_json:
        show_json(withdrawn)
    else:
        say(f"{approval_id} is withdrawn")


@click.command()
@click.argument("release_id")
@json_option
@fails_cleanly
def approvals(release_id: str, *, as_json: bool) -> None:
    """List the approvals and rejections of RELEASE_ID, and why some do not count."""
    items = list(api("auditor").every(f"{_path(release_id)}/approvals"))
    if as_json:
        show_json({"items": items})
    else:
        show_table(
            ("APPROVAL", "VERDICT", "BY", "GIVEN", "VOID", "COMMENT"),
            (tuple(item[name] for name in ("id", "verdict", "by", "given_at", "void", "comment")) for item in items),
        )


def _give(release_id: str, verdict: str, *, revision: str | None, comment: str, as_json: bool) -> None:
    approver = api("approver")
    found = approver.get(_path(release_id)).body
    body = {"revision": revision or found["revision"], "environment": found["environment"]}
    given = approver.post(f"{_path(release_id)}/approvals", body | {"verdict": verdict, "comment": comment}).body
    if as_json:
        show_json(given)
    else:
        done = {"approve": "approved", "reject": "rejected"}[verdict]
        say(f"{release_id} ({given['revision']}) is {done} for {given['environment']}: {given['id']}")


def _path(release_id: str) -> str:
    return f"/v1/policy-sets/default/releases/{segment(release_id)}"
