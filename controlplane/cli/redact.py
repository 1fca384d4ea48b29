# SPDX-License-Identifier: Apache-2.0
"""`gatehouse redact`: redact what comes in, here: no server is asked, and nothing is kept.

It starts for every file of a pipeline, so it imports what it runs with when it runs, and nothing of a server.
"""

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

if TYPE_CHECKING:
    from policies.contracts.snapshot import RedactionPolicy
    from policies.redaction.rules import ActiveRules

_REFUSED = 1


@click.command()
@click.option("--jsonl", is_flag=True, help="Take and give one JSON object a line, with the findings; else plain text.")
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A redaction policy whose rules hold; every detector replaces unless given.",
)
@click.option("--detectors", metavar="NAMES", help="Only these, such as email,payment-card.")
@click.option("--strict", is_flag=True, help="Leave what fails its check digit, whatever stands before it.")
def redact(*, jsonl: bool, policy_file: Path | None, detectors: str | None, strict: bool) -> None:
    """Redact standard input to standard output, without a server.

    With --jsonl each line is {"text": …} and is answered, in its order, by a line {"text": …, "findings": [{"type",
    "start", "end", "score", "detector"}]}; start and end count code points of what was given. A line that cannot be
    read is answered by {"error": …, "line": …}, and the command exits 1 at the end. Other members than id are left
    out: they are not examined.
    """
    if policy_file and (detectors or strict):
        raise click.UsageError(
            "--policy says which detectors hold and how strictly: leave --detectors and --strict out"
        )
    active = _active(_policy(policy_file) if policy_file else _detectors(detectors, strict=strict))
    source, target = sys.stdin.buffer, sys.stdout.buffer
    if jsonl:
        redact_lines(active, source, target)
    else:
        redact_text(active, source, target)


def redact_lines(active: "ActiveRules", source: BinaryIO, target: BinaryIO) -> None:
    """Answer each line at once: whoever waits for it may write the next one only then."""
    from controlplane.cli.redaction_lines import answer_of, lines_of  # noqa: PLC0415  # see above
    from policies.redaction.examination import examine  # noqa: PLC0415  # see above
    from policies.redaction.findings import Tally  # noqa: PLC0415  # see above

    refused = 0
    for number, line in lines_of(source):
        # Each line is a conversation of its own: placeholders are numbered anew.
        answer, readable = answer_of(number, line, lambda text: examine(active, text, Tally()))
        refused += not readable
        target.write(answer)
        target.flush()
    if refused:
        click.echo(f"{refused} line(s) could not be read; each has its error in its place", err=True)
        sys.exit(_REFUSED)


def redact_text(active: "ActiveRules", source: BinaryIO, target: BinaryIO) -> None:
    """Let text go on as soon as it is decided, so that what never ends can be redacted too."""
    from controlplane.cli.redaction_lines import chunks_of  # noqa: PLC0415  # see above
    from policies.redaction.findings import AnswerBlocked  # noqa: PLC0415  # see above

    redactor = active.stream()
    write = functools.partial(_write, target)
    try:
        for chunk in chunks_of(source):
            write(redactor.feed(chunk))
        write(redactor.finish())
    except AnswerBlocked as blocked:
        raise click.ClickException(f"{blocked}; nothing more is written") from blocked


def _write(target: BinaryIO, text: str) -> None:
    target.write(text.encode())
    target.flush()


def _active(policy: "RedactionPolicy") -> "ActiveRules":
    from policies.redaction.engine import Redaction  # noqa: PLC0415  # see above

    return Redaction.of([policy]).rules_for([policy.id])


def _detectors(names: str | None, *, strict: bool) -> "RedactionPolicy":
    from policies.detectors.registry import DETECTOR_NAMES  # noqa: PLC0415  # see above
    from policies.redaction.examination import everything  # noqa: PLC0415  # see above

    chosen = tuple(filter(None, (names or "").replace(" ", "").split(",")))
    if unknown := set(chosen).difference(DETECTOR_NAMES):
        raise click.UsageError(
            f"there is no detector {', '.join(sorted(unknown))}; there are {', '.join(DETECTOR_NAMES)}"
        )
    return everything(strict=strict, detectors=chosen) if chosen else everything(strict=strict)


def _policy(file: Path) -> "RedactionPolicy":
    from policies.compiler.compile import compile_redactions  # noqa: PLC0415  # only --policy needs the compiler
    from policies.contracts.errors import PolicyRejected  # noqa: PLC0415  # as above
    from policies.document.loader import load_documents  # noqa: PLC0415  # as above

    try:
        documents = load_documents({str(file): file.read_bytes()})
        compiled = compile_redactions(documents)
    except PolicyRejected as exc:
        raise click.ClickException("\n".join(map(str, exc.diagnostics))) from exc
    except OSError as exc:
        raise click.UsageError(f"{file} cannot be read ({exc.strerror})") from exc
    if not compiled:
        raise click.UsageError(f"{file} is not a policy of kind redaction")
    return compiled[0]
