# SPDX-License-Identifier: Apache-2.0
"""`gatehouse fleet`: who enforces what, and what nodes found wrong about themselves."""

from typing import Any

import click

from controlplane.cli.shared import api, fails_cleanly, json_option, show_json
from controlplane.cli.tables import show_table

_COLUMNS = ("KIND", "ID", "ENVIRONMENT", "LIVE", "SERIAL", "WANTED", "LAG", "WAITING", "LOST", "BEHIND", "PROBLEMS")


@click.group(invoke_without_command=True)
@click.option("--environment", help="Only of this environment.")
@json_option
@click.pass_context
def fleet(context: click.Context, *, environment: str | None, as_json: bool) -> None:
    """Show every node and stock OPA: what it enforces, how far behind it is, and what is wrong there."""
    if context.invoked_subcommand is None:
        _show(environment, as_json=as_json)


@fleet.command()
@click.option("--state", type=click.Choice(["all", "open", "closed"]), default="open", show_default=True)
@click.option("--environment", help="Only of this environment.")
@click.option("--node", help="Only of this node.")
@click.option("--check", help="Only of this check, such as upstream-reachable-around.")
@json_option
@fails_cleanly
def findings(*, as_json: bool, **asked: str | None) -> None:
    """List what nodes found wrong about themselves."""
    given = {name: value for name, value in asked.items() if value is not None}
    items = list(api("auditor").every("/v1/findings", given))
    if as_json:
        show_json({"items": items})
        return
    names = ("id", "environment", "node", "check", "detail", "opened_at", "closed_at")
    show_table(
        ("FINDING", "ENVIRONMENT", "NODE", "CHECK", "DETAIL", "OPENED", "CLOSED"),
        ([item[name] for name in names] for item in items),
    )


@fails_cleanly
def _show(environment: str | None, *, as_json: bool) -> None:
    told = api("auditor").get("/v1/fleet", {} if environment is None else {"environment": environment}).body
    if as_json:
        show_json(told)
    else:
        show_table(_COLUMNS, map(_row, told["items"]))


def _row(item: dict[str, Any]) -> tuple[object, ...]:
    """Return a row; `LOST` is what was dropped or never arrived, `BEHIND` the documents that it does not follow yet."""
    behind = [
        f"{name} {item[f'{name}_behind']}"
        for name in ("credentials", "revocations", "document")
        if item[f"{name}_behind"]
    ]
    return (
        item["kind"],
        item["id"],
        item["environment"],
        "yes" if item["live"] else "no",
        item["serial"],
        item["desired_serial"],
        f"{item['lag_s']} s" if item["lag_s"] else None,
        item["spool_depth"],
        (item["dropped"] or 0) + (item["missing"] or 0),
        behind,
        [*([item["problem"]] if item["problem"] else []), *item["findings"]],
    )
