# SPDX-License-Identifier: Apache-2.0
"""`gatehouse decisions`: ask the decision log."""

import contextlib
import itertools
import json
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import click

from controlplane.cli.decision_filters import asked_of, filters
from controlplane.cli.export import export
from controlplane.cli.shared import api, codes, fails_cleanly, json_option, show_json
from controlplane.cli.tables import plain, show_table
from controlplane.client import ApiClient

_TAIL_INTERVAL_S: Final = 0.5
_MOST_ALTERNATIVES: Final = 100
_COLUMNS: Final = ("TIME", "SUBJECT", "ACTION", "MODEL", "OUTCOME", "VERDICT", "STATUS", "REASONS", "REQUEST")


@click.group()
def decisions() -> None:
    """Query, follow and export the decision log. The auditor does this."""


decisions.add_command(export)


@decisions.command()
@filters
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
@filters
@json_option
@fails_cleanly
def tail(*, as_json: bool, **asked: Any) -> None:
    """Show decisions as they arrive, until Ctrl-C. One whose answer is still streaming is shown again at its end."""
    auditor = api("auditor")
    wanted = asked_of(asked)
    last = next(auditor.every("/v1/decisions", {"order": "desc", "limit": 1}), {"log_index": -1})["log_index"]
    streaming: set[str] = set()
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            fresh = _after(auditor, wanted, last)[::-1]
            ended = [item for item in _of_requests(auditor, streaming) if item["complete"]]
            for item in (*ended, *fresh):
                click.echo(json.dumps(item, ensure_ascii=False) if as_json else "  ".join(map(plain, _row(item))))
            last = max([last, *(item["log_index"] for item in fresh)])
            streaming |= {item["request_id"] for item in fresh if not item["complete"]}
            streaming -= {item["request_id"] for item in ended}
            time.sleep(_TAIL_INTERVAL_S)


def _after(auditor: ApiClient, wanted: Mapping[str, Any], index: int) -> list[dict[str, Any]]:
    newest_first = auditor.every("/v1/decisions", {**wanted, "order": "desc", "limit": 100})
    return list(itertools.takewhile(lambda item: item["log_index"] > index, newest_first))


def _of_requests(auditor: ApiClient, request_ids: Collection[str]) -> Iterator[dict[str, Any]]:
    if request_ids:
        # As many as a filter takes; the others are asked for once some of these have ended.
        yield from auditor.every("/v1/decisions", {"request_id": sorted(request_ids)[:_MOST_ALTERNATIVES]})


def _row(item: dict[str, Any]) -> tuple[object, ...]:
    return (
        item["time"],
        item["subject"],
        item["action"],
        item["model"],
        item["outcome"],
        item["verdict"],
        item["status"],
        codes(item["reasons"]),
        item["request_id"],
    )
