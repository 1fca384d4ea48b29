# SPDX-License-Identifier: Apache-2.0
"""`gatehouse key`: the API keys that applications call the proxy with."""

from collections.abc import Mapping
from typing import Any, Final

import click

from controlplane.cli.shared import api, fails_cleanly, json_option, say, segment, show_json
from controlplane.cli.tables import show_table

_SHOWN: Final = ("id", "subject", "environment", "created_at", "expires_at", "revoked_at")

environment_option = click.option(
    "--environment", default="production", show_default=True, help="Each environment has its own."
)


@click.group()
def key() -> None:
    """Create, list, rotate and revoke API keys, and block subjects. The admin does this."""


@key.command()
@click.argument("subject")
@click.option("--expires-at", help="RFC 3339 time, such as 2027-01-31T00:00:00Z.")
@click.option("--operation", "operations", multiple=True, help="Only for this operation; may be repeated.")
@click.option("--model", "models", multiple=True, help="Only for this model; may be repeated.")
@environment_option
@json_option
@fails_cleanly
def create(
    subject: str,
    *,
    expires_at: str | None,
    operations: tuple[str, ...],
    models: tuple[str, ...],
    environment: str,
    as_json: bool,
) -> None:
    """Create a key for SUBJECT (`user:NAME` or `service:NAME`) and show it, this once. It counts in one environment.

    A key for some operations or models narrows what policy permits its subject; it never widens that.
    """
    body: dict[str, Any] = {"subject": subject, "environment": environment}
    if expires_at:
        body["expires_at"] = expires_at
    if operations or models:
        body["scope"] = {"operations": list(operations) or None, "models": list(models) or None}
    _show_made(api("admin").post("/v1/api-keys", body).body, as_json=as_json)


@key.command()
@click.argument("key_id")
@click.option(
    "--overlap-s", type=int, default=3600, show_default=True, help="Seconds that the old key holds beside the new one."
)
@json_option
@fails_cleanly
def rotate(key_id: str, *, overlap_s: int, as_json: bool) -> None:
    """Make a key in place of KEY_ID, for the same subject and scope, and show it, this once."""
    made = api("admin").post(f"/v1/api-keys/{segment(key_id)}:rotate", {"overlap_s": overlap_s}).body
    _show_made(made, as_json=as_json)


@key.command()
@click.argument("key_id")
@json_option
@fails_cleanly
def revoke(key_id: str, *, as_json: bool) -> None:
    """Revoke the key KEY_ID. It is refused everywhere within a second."""
    api("admin").delete(f"/v1/api-keys/{segment(key_id)}")
    if as_json:
        show_json({"id": key_id, "revoked": True})
    else:
        say(f"{key_id} is revoked")


@key.command("list")
@json_option
@fails_cleanly
def list_keys(*, as_json: bool) -> None:
    """List the keys. Secrets are not kept, so they are not shown."""
    items = list(api("admin").every("/v1/api-keys"))
    if as_json:
        show_json({"items": items})
    else:
        show_table(
            ("KEY", "SUBJECT", "ENVIRONMENT", "CREATED", "EXPIRES", "REVOKED", "ONLY FOR", "REPLACED BY"),
            ((*(i[name] for name in _SHOWN), _only(i), i["replaced_by"]) for i in items),
        )


@key.command()
@click.argument("subject")
@environment_option
@json_option
@fails_cleanly
def block(subject: str, *, environment: str, as_json: bool) -> None:
    """Refuse every key, token and certificate of SUBJECT in one environment, on every worker within a second."""
    api("admin").put(_blocked_path(subject, environment))
    _show_block(subject, blocked=True, as_json=as_json)


@key.command()
@click.argument("subject")
@environment_option
@json_option
@fails_cleanly
def unblock(subject: str, *, environment: str, as_json: bool) -> None:
    """Let the credentials of SUBJECT count again."""
    api("admin").delete(_blocked_path(subject, environment))
    _show_block(subject, blocked=False, as_json=as_json)


@key.command()
@environment_option
@json_option
@fails_cleanly
def blocked(*, environment: str, as_json: bool) -> None:
    """List the subjects that are blocked."""
    items = list(api("admin").every("/v1/blocked-subjects", {"environment": environment}))
    if as_json:
        show_json({"items": items})
    else:
        show_table(
            ("SUBJECT", "BLOCKED", "BY"), ((item["subject"], item["blocked_at"], item["blocked_by"]) for item in items)
        )


def _blocked_path(subject: str, environment: str) -> str:
    return f"/v1/blocked-subjects/{segment(subject)}?environment={segment(environment)}"


def _show_made(made: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(made)
    else:
        say(made["key"])


def _show_block(subject: str, *, blocked: bool, as_json: bool) -> None:
    if as_json:
        show_json({"subject": subject, "blocked": blocked})
    else:
        say(f"{subject} is {'blocked' if blocked else 'not blocked any more'}")


def _only(item: Mapping[str, Any]) -> str | None:
    names = [*(item["scope"]["operations"] or ()), *(item["scope"]["models"] or ())]
    return ", ".join(names) or None
