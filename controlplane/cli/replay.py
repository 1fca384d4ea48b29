# SPDX-License-Identifier: Apache-2.0
"""`gatehouse replay`: what a release would have decided."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from controlplane.cli.awaiting import result_of
from controlplane.cli.decision_filters import asked_of, every_filter
from controlplane.cli.shared import api, complain, fails_cleanly, json_option, say, show_json
from controlplane.cli.tables import plain, show_table

# Named here, so that the command starts without what replays: a test compares the two.
CHANGES: Final = ("newly-refused", "newly-allowed", "reasons-changed", "no-longer-redacted")
NOT_COMPARED: Final = "not-compared"

_BY: Final = (("by_reason", "reason"), ("by_policy", "policy"), ("by_model", "model"), ("by_subject", "subject"))
_MOST_SHOWN: Final = 5
_FEWEST: Final = 1


@click.command()
@click.argument("release")
@every_filter
@click.option("--has-gap", type=click.Choice(["true", "false"]), help="No terminal record, or missing numbers.")
@click.option("--against", default="recorded", show_default=True, help="recorded, in-force, or the id of a release.")
@click.option("--as-of", type=click.IntRange(0), help="Only the first so many entries of the log.")
@click.option("--examples", type=click.IntRange(0, 100), help="At most so many requests of each kind of change.")
@click.option("--wait/--no-wait", default=True, help="Wait for the report and show it, or only begin.")
@click.option(
    "--fail-on",
    type=click.Choice([*CHANGES, NOT_COMPARED]),
    multiple=True,
    help="Exit with 1 where the report has any; may be repeated.",
)
@json_option
@fails_cleanly
def replay(
    *,
    release: str,
    against: str,
    as_of: int | None,
    examples: int | None,
    wait: bool,
    fail_on: tuple[str, ...],
    as_json: bool,
    **asked: Any,
) -> None:
    """Run a release over recorded decisions, and report what it would change.

    Ctrl-C cancels it.
    """
    if fail_on and not wait:
        raise click.UsageError("--fail-on needs the report: leave --no-wait out")
    author = api("author")
    body: dict[str, Any] = {"release": release, "against": against, "filters": asked_of(asked)}
    body |= {name: value for name, value in (("as_of", as_of), ("examples", examples)) if value is not None}
    begun = author.post("/v1/replays", body).body
    if not wait:
        show_json(begun) if as_json else say(begun["id"])
        return
    made = result_of(author, begun)
    content = author.content(made["result"]["href"])
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != made["result"]["digest"]:
        raise click.ClickException("what arrived is not what was made: its digest differs.")
    report = json.loads(content)
    if as_json:
        show_json(report)
    else:
        show(report)
    found = [name for name in dict.fromkeys(fail_on) if _count(report, name)]
    if found:
        complain(f"The report has what must not be: {', '.join(found)}.")
        raise click.exceptions.Exit(1)


def show(report: Mapping[str, Any]) -> None:
    """Print a report for people: what changes, whom it concerns, and what cannot be said."""
    release, against = report["release"], report["against"]
    other = against["kind"] if against["kind"] == "recorded" else f"{against['kind']} {against['release']['id']}"
    say(f"{release['id']} for {release['environment']}, against {other}: {report['decisions']} decisions")
    say("")
    rows = [("unchanged", report["unchanged"]), *((name, report["changes"][name]["count"]) for name in CHANGES)]
    rows.append((NOT_COMPARED, report["not_compared"]["count"]))
    show_table(("change", "decisions", "share"), [(*row, _share(row[1], report["decisions"])) for row in rows])
    for name in CHANGES:
        if report["changes"][name]["count"]:
            _show_change(name, report["changes"][name])
    _show_left_out("not compared", report["not_compared"]["by_cause"])
    _show_left_out("redaction not compared", report["redaction"]["not_compared"])
    say("")
    for sentence in _sentences(report):
        say(sentence)


def _show_change(name: str, change: Mapping[str, Any]) -> None:
    say(f"\n{name}: {change['count']}")
    rows = [
        (label, each[label], str(each["count"]))
        for member, label in _BY
        for each in change[member]["top"][:_MOST_SHOWN]
        if each[label] is not None
    ]
    show_table(("by", "value", "decisions"), rows)
    if change["examples"]:
        say("")
        columns = ("request", "subject", "model", "was", "now")
        show_table(columns, [_example(each) for each in change["examples"][:_MOST_SHOWN]])


def _example(each: Mapping[str, Any]) -> tuple[object, ...]:
    return each["request_id"], each["subject"], each["model"], _verdict(each["was"]), _verdict(each["now"])


def _verdict(judged: Mapping[str, Any]) -> str:
    codes = ",".join(str(reason["code"]) for reason in judged["reasons"])
    return f"{judged['effect']} ({codes})" if codes else str(judged["effect"])


def _show_left_out(title: str, causes: Mapping[str, Any]) -> None:
    if not causes:
        return
    say("")
    rows = [
        (
            cause,
            str(left["count"]),
            [each["reason"] for each in left["by_reason"]["top"][:_MOST_SHOWN]],
            left["examples"][:_FEWEST],
        )
        for cause, left in causes.items()
    ]
    show_table((title, "decisions", "reasons", "example"), rows)


def _sentences(report: Mapping[str, Any]) -> Iterator[str]:
    evaluation, rates = report["evaluation"], report["rates"]
    yield f"{evaluation['distinct']} distinct questions were evaluated in {evaluation['spent_ms']} ms."
    told = [
        f"{name} {evaluation[member]['p50']} µs, p99 {evaluation[member]['p99']} µs"
        for name, member in (("this release", "release_us"), ("what it is timed against", "baseline_us"))
        if evaluation[member] is not None
    ]
    if told:
        yield f"One decision takes here, at the median: {'; '.join(told)}."
    if rates["allowed_under_a_rate"]:
        yield f"Rates were not counted; one holds for {rates['allowed_under_a_rate']} of the allowed requests."
    if report["texts"]["policies"]:
        yield "Texts were not judged: what policies for texts refuse is not in this report."
    if report["would_refuse"]:
        yield f"Policies that warn or observe would refuse {report['would_refuse']} of the allowed requests."
    yield plain(f"As of {report['as_of']} entries of the log.")


def _share(count: int, total: int) -> str | None:
    return f"{count / total:.1%}" if total else None


def _count(report: Mapping[str, Any], name: str) -> int:
    found = report["not_compared"] if name == NOT_COMPARED else report["changes"][name]
    return int(found["count"])
