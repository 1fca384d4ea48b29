# SPDX-License-Identifier: Apache-2.0
"""`gatehouse evidence`: take the log home, in archives that verify without the server that made them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from controlplane.cli.awaiting import fetch, result_of
from controlplane.cli.shared import api, fails_cleanly, json_option, say, show_json

_FILE: Final = click.Path(path_type=Path, dir_okay=False)


@click.group()
def evidence() -> None:
    """Make archives that prove themselves; `gatehouse audit verify` checks them anywhere. The auditor does this."""


@evidence.command()
@click.option("--from", "from_", required=True, help="RFC 3339 time; what the log received at or after it.")
@click.option("--to", required=True, help="RFC 3339 time; before it.")
@click.option("--environment", default="production", show_default=True)
@click.option("-o", "--output", "file", type=_FILE, required=True, help="Where to put it.")
@json_option
@fails_cleanly
def pack(*, from_: str, to: str, environment: str, file: Path, as_json: bool) -> None:
    """Make an evidence pack: entries with proofs, policies in force, approvals, a summary. Ctrl-C cancels it."""
    auditor = api("auditor")
    body = {"from": from_, "to": to, "environment": environment}
    made = result_of(auditor, auditor.post("/v1/evidence-packs", body).body)
    fetch(auditor, made, file)
    _show(made, file, as_json=as_json)


@evidence.command()
@click.option("-o", "--output", "file", type=_FILE, required=True, help="Where to put it.")
@click.option("--first", type=click.IntRange(0), help="Index of the first entry; 0 without.")
@click.option("--end", type=click.IntRange(0), help="Index behind the last entry; that of the last checkpoint without.")
@click.option("--from", "from_", help="RFC 3339 time instead of --first: entries received at or after it.")
@click.option("--to", help="RFC 3339 time instead of --end: entries received before it.")
@click.option("--payloads", is_flag=True, help="Include payloads: subjects and what guards saw, as far as not erased.")
@json_option
@fails_cleanly
def archive(*, file: Path, payloads: bool, as_json: bool, **given: Any) -> None:
    """Archive a range of the log, all of it unless said, with the proofs that verify it. Ctrl-C cancels it."""
    given["from"] = given.pop("from_")
    wanted = {name: value for name, value in given.items() if value is not None}
    auditor = api("auditor")
    body = {"format": "archive", "range": wanted, "include": ["subject", "input"] if payloads else []}
    made = result_of(auditor, auditor.post("/v1/exports", body).body)
    fetch(auditor, made, file)
    _show(made, file, as_json=as_json)


def _show(made: Mapping[str, Any], file: Path, *, as_json: bool) -> None:
    if as_json:
        show_json({**made, "file": str(file)})
    else:
        say(f"{made['progress']['rows']} entries, {made['result']['size_bytes']} bytes, {made['result']['digest']}")
        say(f"Check it with: gatehouse audit verify {file} --key VKEY")
