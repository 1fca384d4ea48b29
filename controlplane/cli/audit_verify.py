# SPDX-License-Identifier: Apache-2.0
"""`gatehouse audit verify`: judge an archive offline. No server is asked, and nothing is believed but given keys.

Exit codes: 0 integrity and completeness hold, 1 one is violated, 2 one cannot be judged (or wrong usage).
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from controlplane.audit.archive_files import Archive, ArchiveUnreadable, open_archive
from controlplane.audit.archive_report import ArchiveReport, Judgement, Problems
from controlplane.audit.archive_verifier import Progress as Told
from controlplane.audit.archive_verifier import verify_archive
from controlplane.audit.note_keys import KeyMalformed, VerifierKey
from controlplane.audit.notes import MAX_NOTE_BYTES
from controlplane.audit.source_boots import BootReport, BootVerdict
from controlplane.cli.tables import plain, show_table

_UNJUDGED: Final = 2
_BOOTS_SHOWN: Final = 20
_MAX_KEY_FILE_BYTES: Final = 64 * 1024
_COLOURS: Final = {Judgement.HOLDS: "green", Judgement.VIOLATED: "red", Judgement.UNJUDGED: "yellow"}


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="VKEY",
    help="A key that you trust, or a file of them: the log's, or a witness's that must have cosigned.",
)
@click.option(
    "--checkpoint",
    "kept",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint that you kept: the archive must not contradict it, nor end before it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def verify(*, path: Path, keys: Sequence[str], kept: Sequence[Path], as_json: bool) -> None:
    """Judge the archive at PATH, a zip or a folder, and say separately whether it is what the log signed (integrity)
    and whether it is all that happened (completeness).

    Exits 0 where both hold, 1 where one is violated, 2 where one cannot be judged.
    """
    trusted = [key for given in keys for key in _keys(given)]
    notes = [(str(file), _content(file, MAX_NOTE_BYTES)) for file in kept]
    try:
        with open_archive(path) as archive, _bar(archive) as told:
            report = verify_archive(archive, keys=trusted, kept=notes, progress=told)
    except ArchiveUnreadable as exc:
        if as_json:
            click.echo(json.dumps({"error": plain(str(exc))}))
        click.echo(f"Error: {path} cannot be judged: {plain(str(exc))}", err=True)
        sys.exit(_UNJUDGED)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
    else:
        _show(report)
    sys.exit(report.exit_code)


def _keys(given: str) -> Iterator[VerifierKey]:
    """Yield the key that was given, or those in the file that was."""
    lines = [given] if "+" in given else _content(Path(given), _MAX_KEY_FILE_BYTES).decode(errors="replace").split("\n")
    for line in filter(None, lines):
        try:
            yield VerifierKey.parse(line)
        except KeyMalformed as exc:
            raise click.UsageError(f"--key {given}: {exc}") from exc


def _content(file: Path, most: int) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(most + 1)
    except OSError as exc:
        raise click.UsageError(f"{file} cannot be read ({exc.strerror})") from exc
    if len(content) > most:
        raise click.UsageError(f"{file} has more than {most} bytes: it is neither a key nor a checkpoint")
    return content


@contextmanager
def _bar(archive: Archive) -> Iterator[Told]:
    """Show how far the entries have been read, where somebody looks."""
    console = Console(stderr=True)
    columns = (TextColumn("Reading entries"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        total = sum(size for name, size in archive.sizes.items() if name.startswith("entries-"))
        task = bar.add_task("", total=total)
        yield lambda read: bar.advance(task, read)


def _show(report: ArchiveReport) -> None:
    at = report.manifest
    click.echo(f"Archive of {plain(at.origin)}: {at.end - at.first} entries from {at.first} on, of a log of {at.size}")
    _head("Integrity", report.integrity_verdict)
    _say(_integrity(report))
    _problems(report.integrity)
    _head("Completeness", report.completeness_verdict)
    _say(_completeness(report))
    _problems(report.incomplete)
    worst = [boot for boot in report.completeness.boots if boot.verdict is not BootVerdict.COMPLETE]
    if worst:
        click.echo()
        order = list(BootVerdict)
        shown = sorted(worst, key=lambda boot: -order.index(boot.verdict))[:_BOOTS_SHOWN]
        show_table(("SOURCE", "BOOT", "VERDICT", "NUMBERS", "WHY"), map(_row, shown))
        if len(worst) > len(shown):
            click.echo(f"and {len(worst) - len(shown)} more; --json has all of them")


def _integrity(report: ArchiveReport) -> Iterator[str]:
    if report.integrity_verdict is Judgement.HOLDS:
        at = "" if report.signed_at_s is None else f" at {_time(report.signed_at_s)}"
        yield f"{report.entries} entries lead to the root that the log signed{at}"
        yield f"{report.checkpoints} checkpoints are signed and consistent"
    if report.dropped:
        yield f"of {report.dropped} entries only the hash is left: retention dropped them"
    if report.altered:
        yield f"{report.altered} entries were altered"
    if report.witnesses:
        yield f"cosigned by {', '.join(map(plain, report.witnesses))}"
    if report.trust == "archive":
        yield "the keys are those in the archive: it agrees with itself, and nobody vouches for who made it"
        yield "(with --key, give the log's key as you have it from elsewhere)"


def _completeness(report: ArchiveReport) -> Iterator[str]:
    told = report.completeness
    counts = {verdict: sum(boot.verdict is verdict for boot in told.boots) for verdict in BootVerdict}
    if told.unjudged:
        yield told.unjudged
    yield f"{len(told.boots)} boots of sources: " + ", ".join(
        f"{number} {verdict}" for verdict, number in counts.items() if number
    )
    if flying := sum(boot.in_flight for boot in told.boots):
        yield f"{flying} requests had not ended when the archive was made"
    if told.unreadable:
        yield f"{told.unreadable} entries cannot be read as what they say they are"
    if told.unrecorded_drops:
        yield f"{told.unrecorded_drops} entries were dropped, and no entry in the archive records it"
    if told.beyond_drops:
        yield f"sources lack {told.beyond_drops} numbers more than entries were dropped"


def _problems(problems: Problems) -> None:
    for problem in problems.first:
        click.echo("  - " + ("" if problem.index is None else f"entry {problem.index}: ") + plain(problem.text))
    if problems.count > len(problems.first):
        click.echo(f"  - and {problems.count - len(problems.first)} more")


def _row(boot: BootReport) -> tuple[object, ...]:
    numbers = "" if boot.first_seq is None else f"{boot.first_seq}-{boot.last_seq}"
    return boot.source, boot.boot, boot.verdict, numbers, "; ".join(boot.why)


def _head(name: str, verdict: Judgement) -> None:
    click.echo("\n" + click.style(f"{name}: {verdict}", fg=_COLOURS[verdict], bold=True))


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(f"  {line}")


def _time(at_s: int) -> str:
    try:
        return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return f"second {at_s}"
