# SPDX-License-Identifier: Apache-2.0
"""`gatehouse audit checkpoint`: what the log is now, signed, and that it only grew since the last look."""

from datetime import UTC, datetime
from typing import Final

import click

from controlplane.audit.strict_text import to_base64
from controlplane.cli.audit_trust import newest, own_key
from controlplane.cli.shared import api, complain, fails_cleanly, json_option, say, show_json
from controlplane.services.times import format_time

# A sequencer renews the checkpoint every two seconds.
_STALE_S: Final = 60


@click.command()
@click.option("--key", "show_key", is_flag=True, help="Print the key that verifies this home's log, and ask nobody.")
@click.option(
    "--vkey", metavar="VKEY", help="The log's key, where this machine has none: as the operator published it."
)
@json_option
@fails_cleanly
def checkpoint(*, show_key: bool, vkey: str | None, as_json: bool) -> None:
    """Print the log's newest checkpoint, once its signature holds and it has all that the last one seen here had.

    The last one seen is kept in the home. Exits 1 where something does not hold.
    """
    if show_key:
        _show_key(as_json=as_json)
        return
    known = newest(api("auditor"), vkey)
    at = datetime.fromtimestamp(known.signed.at_s or 0, tz=UTC)
    age_s = int((datetime.now(tz=UTC) - at).total_seconds())
    if as_json:
        show_json(
            {
                "origin": known.now.origin,
                "size": known.now.size,
                "root": to_base64(known.now.root),
                "signed_at": format_time(at),
                "consistent_with": None if known.before is None else known.before.size,
                "note": known.signed.note.to_bytes().decode(),
            }
        )
    else:
        say(known.signed.note.to_bytes().decode().rstrip("\n"))
        had = known.before
        seen = "seen here for the first time" if had is None else f"has all {had.size} entries of before"
        complain(f"signed {max(age_s, 0)} s ago; {seen}; kept in {known.file}")
    if age_s > _STALE_S:
        complain(f"nobody has signed this log for {age_s} s: no sequencer runs, or it refuses to (see /readyz)")


def _show_key(*, as_json: bool) -> None:
    key = own_key()
    if key is None:
        raise click.ClickException("this home has no key of a log: it is made by `gatehouse run`")
    if as_json:
        show_json({"key": key})
    else:
        say(key)
