# SPDX-License-Identifier: Apache-2.0
"""`gatehouse revoke`: refuse a token, a subject or a key, and see which workers do by now."""

import hashlib
from typing import Any, BinaryIO

import click

from controlplane.cli.shared import api, fails_cleanly, json_option, say, segment, show_json
from controlplane.cli.tables import show_table

_environment = click.option("--environment", default="production", show_default=True)


@click.group()
def revoke() -> None:
    """Refuse a token, a subject or a key everywhere within a second. The admin does this."""


@revoke.command()
@click.option("--file", type=click.File("rb"), help="A file with the token; - reads it from standard input.")
@click.option("--sha256", help="The SHA-256 of the token without its signature, or of a certificate, in hexadecimal.")
@click.option("--issuer", help="The claim iss; with --jti.")
@click.option("--jti", help="The claim jti; with --issuer.")
@click.option("--expires-at", help="RFC 3339 time when the token ends by itself: then this is forgotten.")
@click.option("--reason", default="", help="Why, for who reads the log.")
@_environment
@json_option
@fails_cleanly
def token(*, file: BinaryIO | None, sha256: str | None, as_json: bool, **asked: Any) -> None:
    """Refuse one token. It is not sent to the server: what names it is its digest."""
    if file is not None:
        signed, _, _ = file.read().strip().rpartition(b".")
        sha256 = hashlib.sha256(signed).hexdigest()
    _show(_posted({"sha256": sha256, **asked}), as_json=as_json)


@revoke.command()
@click.argument("subject")
@click.option("--issued-before", help="RFC 3339 time: refuse what was issued before it, and nothing later.")
@click.option("--expires-at", help="RFC 3339 time when all of that has ended by itself.")
@click.option("--reason", default="", help="Why, for who reads the log; with --issued-before.")
@_environment
@json_option
@fails_cleanly
def subject(subject: str, *, issued_before: str | None, environment: str, as_json: bool, **asked: Any) -> None:
    """Refuse SUBJECT (`user:NAME` or `service:NAME`): all of it, or what it was given before a time."""
    if issued_before is not None:
        body = {"subject": subject, "issued_before": issued_before, "environment": environment, **asked}
        _show(_posted(body), as_json=as_json)
        return
    api("admin").put(f"/v1/blocked-subjects/{segment(subject)}?environment={segment(environment)}")
    _told({"subject": subject, "blocked": True}, f"{subject} is blocked", as_json=as_json)


@revoke.command()
@click.argument("key_id")
@json_option
@fails_cleanly
def key(key_id: str, *, as_json: bool) -> None:
    """Refuse the API key KEY_ID."""
    api("admin").delete(f"/v1/api-keys/{segment(key_id)}")
    _told({"id": key_id, "revoked": True}, f"{key_id} is revoked", as_json=as_json)


@revoke.command()
@_environment
@json_option
@fails_cleanly
def status(*, environment: str, as_json: bool) -> None:
    """Show which epoch of the revocations every worker enforces."""
    told = api("admin").get(f"/v1/environments/{segment(environment)}/revocations").body
    if as_json:
        show_json(told)
        return
    say(f"epoch {told['epoch']} is {'enforced by every worker' if told['enforced'] else 'not enforced everywhere yet'}")
    show_table(
        ("NODE", "SLOT", "EPOCH", "ENFORCES"),
        ((each["node"], each["slot"], each["epoch"], each["enforces"]) for each in told["workers"]),
    )


def _posted(body: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in body.items() if value}
    posted: dict[str, Any] = api("admin").post("/v1/revoked-tokens", given).body
    return posted


def _show(made: dict[str, Any], *, as_json: bool) -> None:
    _told(made, f"{made['id']} is in force", as_json=as_json)


def _told(body: dict[str, Any], line: str, *, as_json: bool) -> None:
    if as_json:
        show_json(body)
    else:
        say(line)
