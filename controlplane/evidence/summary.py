# SPDX-License-Identifier: Apache-2.0
"""The summary of an evidence pack: what happened in a period, what governed it, and what is not known of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from controlplane.audit.completeness import CompletenessReport
from controlplane.audit.source_boots import BootVerdict
from controlplane.evidence.pages import Page, Table
from controlplane.evidence.tally import Tally
from controlplane.services.times import format_time

_MOST_ROWS: Final = 50
_PROVES: Final = (
    "The entries are those of the log, unchanged and without holes: `gatehouse audit verify` checks that on any "
    "machine, with the log's key. This page was counted from them when the pack was made; the manifest covers it."
)
_MEANS: Final = (
    "A period is of what the log received in it. What a node could not deliver in time stands where it arrived, "
    "with the time at which it was decided."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforced:
    """An activation that was in force within the period, from `since` until `until` (None: still)."""

    serial: int
    release: str
    revision: str
    author: str
    approver: str
    since: datetime
    active_at: datetime | None
    until: datetime | None
    policies: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackHead:
    """What the pack is of: entries `first` to before `end`, received from `since` to before `until`."""

    tenant: str
    environment: str
    since: datetime
    until: datetime
    first: int
    end: int
    made_at: datetime
    made_by: str


def summary_page(
    head: PackHead,
    tally: Tally,
    completeness: CompletenessReport,
    enforced: Sequence[Enforced],
    events: Mapping[str, int],
) -> Page:
    requests = sum(tally.outcomes.values())
    tables = (
        Table(title="Decisions", columns=("Measure", "Count"), rows=_decisions(tally, requests)),
        _by_day(tally),
        Table(title="Policies in force", columns=_ENFORCED, rows=tuple(map(_enforced, enforced)), empty="Nothing was."),
        _counted("Refused, by reason", tally.reasons),
        _counted("Failed, by reason", tally.failures, note="Refused because something failed: outages show here."),
        _counted("Findings, by detector", tally.detectors),
        _counted("Requests, by model", tally.models),
        _counted("Requests, by operation", tally.actions),
        _by_revision(tally),
        _gaps(tally),
        _sources(completeness),
        _counted("Entries of the log, by kind", tally.kinds),
        _counted("Administration, by action", Counter(events)),
    )
    period = (
        f"{head.environment} of {head.tenant}, {format_time(head.since)} to {format_time(head.until)}: "
        f"{requests} requests in {tally.entries} entries of the log ({head.first} to {head.end - 1})."
        if head.end > head.first
        else f"{head.environment} of {head.tenant}, {format_time(head.since)} to {format_time(head.until)}: no entries."
    )
    made = f"Made at {format_time(head.made_at)} for {head.made_by}."
    return Page(title="Evidence pack", paragraphs=(period, made, _PROVES, _MEANS), tables=tables)


def summary_json(
    head: PackHead,
    tally: Tally,
    enforced: Sequence[Enforced],
    events: Mapping[str, int],
) -> dict[str, Any]:
    """Return the figures of the summary, for programs."""
    counters = ("kinds", "outcomes", "verdicts", "reasons", "failures", "models", "actions", "detectors", "policies")
    return {
        "schema": "gatehouse.evidence-summary/1",
        "tenant": head.tenant,
        "environment": head.environment,
        "from": format_time(head.since),
        "to": format_time(head.until),
        "first": head.first,
        "end": head.end,
        "entries": tally.entries,
        "dropped": tally.dropped,
        "payloads_kept": tally.payloads,
        "would_have_denied": tally.would_have,
        **{name: dict(sorted(getattr(tally, name).items())) for name in counters},
        "days": {day: asdict(counted) for day, counted in sorted(tally.days.items())},
        "revisions": {revision: asdict(counted) for revision, counted in sorted(tally.revisions.items())},
        "gaps": tally.gaps,
        "serials": [each.serial for each in enforced],
        "administration": dict(sorted(events.items())),
    }


def completeness_json(report: CompletenessReport) -> dict[str, Any]:
    return {
        "holds": report.holds,
        "unjudged": report.unjudged,
        "unreadable": report.unreadable,
        "dropped": report.dropped,
        "unrecorded_drops": report.unrecorded_drops,
        "boots": [asdict(boot) for boot in report.boots],
    }


_ENFORCED: Final = ("Serial", "From", "Enforced by all", "Until", "Release", "Author", "Approver", "Policies")


def _enforced(each: Enforced) -> tuple[object, ...]:
    return (
        each.serial,
        format_time(each.since),
        "" if each.active_at is None else format_time(each.active_at),
        "still" if each.until is None else format_time(each.until),
        each.release,
        each.author,
        each.approver,
        ", ".join(f"{policy} {revision[:19]}" for policy, revision in each.policies),
    )


def _decisions(tally: Tally, requests: int) -> tuple[tuple[object, ...], ...]:
    outcome, verdict = tally.outcomes, tally.verdicts
    return (
        ("Requests that ended", requests),
        ("Allowed", outcome["allow"]),
        ("Denied by policy", outcome["deny"]),
        ("Refused because something failed", outcome["error_deny"]),
        ("Answers redacted", verdict["redacted"]),
        ("Answers cut", verdict["cut"]),
        ("Allowed that a policy in trial would have denied", tally.would_have),
        ("Findings", sum(tally.detectors.values())),
        ("Entries with a payload still kept", tally.payloads),
        ("Entries that retention dropped", tally.dropped),
    )


def _by_day(tally: Tally) -> Table:
    rows = tuple(
        (day, counted.requests, counted.denied, counted.failed, counted.redacted, counted.cut)
        for day, counted in sorted(tally.days.items())
    )
    columns = ("Day", "Requests", "Denied", "Failed", "Redacted", "Cut")
    return Table(title="By day", columns=columns, rows=rows, empty="No requests ended.")


def _by_revision(tally: Tally) -> Table:
    rows = tuple(
        (revision, counted.requests, counted.first_at, counted.last_at)
        for revision, counted in sorted(tally.revisions.items(), key=lambda item: item[1].first_at)[:_MOST_ROWS]
    )
    columns = ("Snapshot", "Requests", "First", "Last")
    return Table(title="Requests, by the snapshot that decided them", columns=columns, rows=rows)


def _counted(title: str, counter: Counter[str], *, note: str = "") -> Table:
    rows = tuple(sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:_MOST_ROWS])
    return Table(title=title, columns=("Name", "Count"), rows=rows, note=note)


def _gaps(tally: Tally) -> Table:
    rows = tuple((gap["log_index"], gap["kind"], gap["time"], gap["told"]) for gap in tally.gaps[:_MOST_ROWS])
    columns = ("Entry", "Kind", "Time", "What it says")
    note = "Records that the log knows to be missing."
    return Table(title="Gaps and losses", columns=columns, rows=rows, note=note)


def _sources(report: CompletenessReport) -> Table:
    order = list(BootVerdict)
    worst = sorted(report.boots, key=lambda boot: (-order.index(boot.verdict), boot.source, boot.boot))
    rows = tuple(
        (boot.source, boot.boot, boot.verdict.value, boot.entries, boot.lost, boot.missing, "; ".join(boot.why))
        for boot in worst[:_MOST_ROWS]
    )
    held = "Complete: every number of every source is there, or known to be lost."
    note = report.unjudged or (held if report.holds else "Not complete: see the sources that are not, below.")
    columns = ("Source", "Boot", "Verdict", "Entries", "Lost", "Missing", "Why")
    return Table(title="Completeness, by source", columns=columns, rows=rows, note=note, empty="No source wrote.")
