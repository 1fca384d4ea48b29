# SPDX-License-Identifier: Apache-2.0
"""`gatehouse key`: the API keys that applications call the proxy with."""

import click

from controlplane.cli.shared import api, fails_cleanly, json_option, say, segment, show_json
from controlplane.cli.tables import show_table


@click.group()
def key() -> None:
    """Create, list and revoke API keys. The admin does this."""


@key.command()
@click.argument("subject")
@click.option("--expires-at", help="RFC 3339 time, such as 2027-01-31T00:00:00Z.")
@json_option
@fails_cleanly
def create(subject: str, *, expires_at: str | None, as_json: bool) -> None:
    """Create a key for SUBJECT (`user:NAME` or `service:NAME`) and show it, this once."""
    body = {"subject": subject} | ({"expires_at": expires_at} if expires_at else {})
    made = api("admin").post("/v1/api-keys", body).body
    if as_json:
        show_json(made)
    else:
        say(made["key"])


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
            ("KEY", "SUBJECT", "CREATED", "EXPIRES", "REVOKED"),
            ((i["id"], i["subject"], i["created_at"], i["expires_at"], i["revoked_at"]) for i in items),
        )
