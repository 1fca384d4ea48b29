# SPDX-License-Identifier: Apache-2.0
"""`gatehouse decisions`: ask the decision log."""

import contextlib
import itertools
import json
from typing import Any, Final

import click

from controlplane.cli.decision_filters import asked_of, every_filter
from controlplane.cli.export import export
from controlplane.cli.shared import api, codes, fails_cleanly, json_option, segment, show_json
from controlplane.cli.tables import plain, show_table

# For a terminal only: click leaves colours out of what is piped.
_COLOURS: Final = {"deny": "red", "error_deny": "yellow"}
_COLUMNS: Final = ("TIME", "SUBJECT", "ACTION", "MODEL", "OUTCOME", "VERDICT", "STATUS", "REASONS", "REQUEST")
_COUNTED: Final = (
    "AT",
    "VALUE",
    "REQUESTS",
    "SHARE",
    "DENIED",
    "FAILED",
    "REDACTED",
    "CUT",
    "PER SECOND",
    "P50 MS",
    "P90 MS",
    "P99 MS",
)


@click.group()
def decisions() -> None:
    """Query, follow, explain, count and export the decision log. The auditor does this."""


decisions.add_command(export)


@decisions.command()
@every_filter
@click.option("--has-gap", type=click.Choice(["true", "false"]), help="No terminal record, or missing numbers.")
@click.option("--as-of", type=click.IntRange(0), help="The log as it was at this size.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most that many.")
@json_option
@fails_cleanly
def query(*, limit: int, as_json: bool, **asked: Any) -> None:
    """Show the newest decisions, the newest last."""
    found = api("auditor").every("/v1/decisions", asked_of(asked) | {"order": "desc", "limit": min(limit, 500)})
    items = list(itertools.islice(found, limit))[::-1]
    if as_json:
        show_json({"items": items})
    else:
        show_table(_COLUMNS, map(_row, items))


@decisions.command()
@every_filter
@json_option
@fails_cleanly
def tail(*, as_json: bool, **asked: Any) -> None:
    """Show decisions as they arrive, until Ctrl-C. One whose answer is still streaming is shown again at its end."""
    with contextlib.suppress(KeyboardInterrupt):
        for item in api("auditor").follow("/v1/decisions:tail", asked_of(asked)):
            if as_json:
                click.echo(json.dumps(item, ensure_ascii=False))
            else:
                click.echo(click.style("  ".join(map(plain, _row(item))), fg=_COLOURS.get(item["outcome"])))


@decisions.command()
@click.argument("identifier", metavar="ID")
@json_option
@fails_cleanly
def show(*, identifier: str, as_json: bool) -> None:
    """Explain one decision, by the id of its request or of one of its records."""
    found = api("auditor").get(f"/v1/decisions/{segment(identifier)}").body
    if as_json:
        show_json(found)
        return
    outcome = click.style(found["outcome"], fg=_COLOURS.get(found["outcome"]), bold=True)
    click.echo(f"{click.style(plain(found['request_id']), bold=True)}  {outcome}")
    for name in ("time", "environment", "subject", "action", "model", "verdict", "status", "revision", "serial"):
        value = found[name] or found["pseudonym"] if name == "subject" else found[name]
        click.echo(f"  {name:<12}{plain(value)}")
    if beside := found["candidate"]:
        why = f" ({', '.join(beside['reasons'])})" if beside["reasons"] else ""
        said = f"{beside['effect']} at serial {beside['serial']}{why}"
        click.echo(f"  {'candidate':<12}{plain(said)}")
    click.echo()
    for sentence in found["explanation"]["sentences"]:
        # What does not print was somebody's choice, a model's name for instance.
        click.echo(f"- {plain(sentence)}")
    indexes = [record["log_index"] for record in found["records"]]
    click.echo(f"\nRecords at {plain(indexes)} of the log. Proof: {plain(found['proof'])}")


@decisions.command()
@click.option("--by", help="A dimension, such as model, subject, reason, policy or status.")
@click.option("--value", "values", multiple=True, help="Only these values of the dimension.")
@click.option("--bucket", type=click.Choice(["minute", "hour", "day", "none"]), default="hour", show_default=True)
@click.option("--from", "from_", help="RFC 3339 time; taken to the whole bucket.")
@click.option("--to", help="RFC 3339 time; taken to the whole bucket.")
@click.option(
    "--limit", type=click.IntRange(1, 50), default=10, show_default=True, help="So many values; others as one."
)
@json_option
@fails_cleanly
def aggregate(*, by: str | None, values: tuple[str, ...], as_json: bool, **asked: Any) -> None:
    """Count decisions by time and by a dimension, with shares, rates and latencies."""
    if values and by is None:
        raise click.UsageError("--value needs --by: say of which dimension the values are")
    wanted = asked_of(asked) | ({"by": by} if by else {}) | ({by: list(values)} if by and values else {})
    found = api("auditor").get("/v1/decisions:aggregate", wanted).body
    if as_json:
        show_json(found)
    else:
        total = found["total"] | {"at": "total", "value": None, "share": None, "other": False}
        show_table(_COUNTED, map(_counted, [*found["items"], total]))


def _counted(item: dict[str, Any]) -> tuple[object, ...]:
    latency = item["latency_ms"] or {}
    return (
        item["at"],
        "(other)" if item["other"] else item["value"],
        str(item["requests"]),
        _percent(item["share"]),
        _percent(item["denied_share"]),
        _percent(item["failed_share"]),
        str(item["redacted"]),
        str(item["cut"]),
        f"{item['per_second']:.3g}",
        latency.get("p50"),
        latency.get("p90"),
        latency.get("p99"),
    )


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"


def _row(item: dict[str, Any]) -> tuple[object, ...]:
    return (
        item["time"],
        item["subject"] or item["pseudonym"],  # a name is gone with its payload
        item["action"],
        item["model"],
        item["outcome"],
        item["verdict"],
        item["status"],
        codes(item["reasons"]),
        item["request_id"],
    )
