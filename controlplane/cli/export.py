# SPDX-License-Identifier: Apache-2.0
"""`gatehouse decisions export`: decisions as a file."""

from pathlib import Path
from typing import Any, Final

import click

from controlplane.cli.awaiting import fetch, result_of
from controlplane.cli.decision_filters import asked_of, every_filter
from controlplane.cli.shared import api, fails_cleanly, json_option, say, show_json

# Named here, so that the command starts without the formats: a test compares the two.
FORMATS: Final = ("ndjson", "csv", "parquet", "ocsf", "ecs")
CONTENTS: Final = ("subject", "input")


@click.command()
@every_filter
@click.option("--has-gap", type=click.Choice(["true", "false"]), help="No terminal record, or missing numbers.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    default="ndjson",
    show_default=True,
    help="The format of the file.",
)
@click.option(
    "-o", "--output", "file", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Where to put it."
)
@click.option("--include", type=click.Choice(CONTENTS), multiple=True, help="Of the payload, too; may be repeated.")
@click.option("--as-of", type=click.IntRange(0), help="Only the first so many entries of the log.")
@json_option
@fails_cleanly
def export(
    *, format_name: str, file: Path, include: tuple[str, ...], as_of: int | None, as_json: bool, **asked: Any
) -> None:
    """Export decisions to a file: wait until it is made, fetch it, check its digest.

    Ctrl-C cancels it. The same question with the same --as-of gives the same bytes.
    """
    auditor = api("auditor")
    body: dict[str, Any] = {"format": format_name, "filters": asked_of(asked), "include": list(include)}
    if as_of is not None:
        body["as_of"] = as_of
    made = result_of(auditor, auditor.post("/v1/exports", body).body)
    fetch(auditor, made, file)
    if as_json:
        show_json({**made, "file": str(file)})
    else:
        result = made["result"]
        say(f"{made['progress']['rows']} decisions, {result['size_bytes']} bytes, {result['digest']}")
