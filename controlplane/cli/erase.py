# SPDX-License-Identifier: Apache-2.0
"""`gatehouse erase`: make payloads unreadable for good."""

import click

from controlplane.cli.shared import api, fails_cleanly, json_option, say, show_json


@click.group()
def erase() -> None:
    """Erase the payloads of a day, a subject or a request. The admin does this. It cannot be undone."""


def _erase(what: str, of: str, *, as_json: bool) -> None:
    erasure = api("admin").post("/v1/erasures", {what: of}).body
    if as_json:
        show_json(erasure)
    else:
        say(
            f"{erasure['id']} is {erasure['state']}: {erasure['payloads']} payloads and {erasure['keys']} keys are gone"
        )


@erase.command()
@click.argument("day")
@json_option
@fails_cleanly
def period(day: str, *, as_json: bool) -> None:
    """Destroy the keys of DAY (such as 2026-11-20, UTC), and with them all its payloads."""
    _erase("period", day, as_json=as_json)


@erase.command()
@click.argument("who", metavar="SUBJECT")
@json_option
@fails_cleanly
def subject(who: str, *, as_json: bool) -> None:
    """Delete the payloads of SUBJECT (`user:NAME`, `service:NAME` or a pseudonym) everywhere."""
    _erase("subject", who, as_json=as_json)


@erase.command()
@click.argument("request_id")
@json_option
@fails_cleanly
def request(request_id: str, *, as_json: bool) -> None:
    """Delete the payloads of REQUEST_ID."""
    _erase("request_id", request_id, as_json=as_json)
