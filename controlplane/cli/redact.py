# SPDX-License-Identifier: Apache-2.0
"""`gatehouse redact`: redact what comes in, here: no server is asked, and nothing is kept.

It is started for every file of a pipeline, so it imports nothing of a server, and the compiler only for a policy.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

import click

from controlplane.cli.redaction_lines import MAX_LINE_BYTES, answer_of, chunks_of, lines_of
from policies.contracts.redaction import Decoding, Direction, FieldClass, HoldBounds, RedactionPolicy
from policies.detectors import presidio
from policies.detectors.catalogue import Catalogue
from policies.detectors.registry import DETECTORS
from policies.redaction.engine import Redaction
from policies.redaction.examination import Asked, everything, examine, rules_of
from policies.redaction.findings import AnswerBlocked, Tally
from policies.redaction.rules import ActiveRules
from policies.scanning.kept import KeptDatabases

_REFUSED: Final = 1
_DECODED_FOR_A_BYTE: Final = 8
_USUAL_FIELD: Final = {Direction.REQUEST: FieldClass.USER, Direction.ANSWER: FieldClass.ASSISTANT_TEXT}


@click.command()
@click.option("--jsonl", is_flag=True, help="Take and give one JSON object a line, with the findings; else plain text.")
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A redaction policy whose rules hold; every detector replaces unless given.",
)
@click.option("--detectors", metavar="NAMES", help="Only these, or groups of them, such as email,secrets.")
@click.option("--strict", is_flag=True, help="Leave what fails its check digit, whatever stands before it.")
@click.option(
    "--direction",
    type=click.Choice([each.value for each in Direction]),
    default=Direction.ANSWER.value,
    show_default=True,
    help="What the text is part of, where the rules of a policy select by it.",
)
@click.option(
    "--field",
    type=click.Choice([each.value for each in FieldClass]),
    help="What it is there: user of a request, assistant-text of an answer unless given.",
)
def redact(
    *, jsonl: bool, policy_file: Path | None, detectors: str | None, strict: bool, direction: str, field: str | None
) -> None:
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
    policy = _read(policy_file) if policy_file else _everything(detectors, strict=strict)
    try:
        redaction = Redaction.of([policy], kept=_kept())
    except presidio.NotInstalled as exc:
        raise click.ClickException(f"{exc}. {presidio.FIX}") from exc
    active = rules_of(redaction, Asked(direction=Direction(direction)))
    of = FieldClass(field) if field else _USUAL_FIELD[Direction(direction)]
    if jsonl:
        _redact_lines(active, of, sys.stdin.buffer, sys.stdout.buffer)
    else:
        _redact_text(active, of, sys.stdin.buffer, sys.stdout.buffer)


def _kept() -> KeptDatabases:
    """Return where compiled patterns are kept from one start to the next."""
    home = os.environ.get("XDG_CACHE_HOME")
    return KeptDatabases((Path(home) if home else Path.home() / ".cache") / "gatehouse" / "patterns")


def _redact_lines(active: ActiveRules, field: FieldClass, source: BinaryIO, target: BinaryIO) -> None:
    """Answer each line at once: whoever waits for it may write the next one only then."""
    refused = 0
    for number, line in lines_of(source):
        # Each line is a conversation of its own: placeholders are numbered anew.
        answer, readable = answer_of(number, line, lambda text: examine(active, text, Tally(), field=field))
        refused += not readable
        target.write(answer)
        target.flush()
    if refused:
        click.echo(f"{refused} line(s) could not be read; each has its error in its place", err=True)
        sys.exit(_REFUSED)


def _redact_text(active: ActiveRules, field: FieldClass, source: BinaryIO, target: BinaryIO) -> None:
    """Let text go on as soon as it is decided, so that what never ends can be redacted too."""

    def write(text: str) -> None:
        target.write(text.encode())
        target.flush()

    redactor = active.stream(Tally(), field=field)
    try:
        for chunk in chunks_of(source):
            write(redactor.feed(chunk))
        write(redactor.finish())
    except AnswerBlocked as blocked:
        raise click.ClickException(f"{blocked}; nothing more is written") from blocked


def _everything(names: str | None, *, strict: bool) -> RedactionPolicy:
    chosen = tuple(filter(None, (names or "").replace(" ", "").split(",")))
    catalogue = Catalogue(DETECTORS)
    for said in chosen:
        if not catalogue.named(said, policy="") and not presidio.wanted(said):
            meant = catalogue.nearest(said, policy="") or catalogue.sayable(policy="")
            raise click.UsageError(f"there is no detector {said}; there are {', '.join(meant)}")
    policy = everything(strict=strict, detectors=chosen) if chosen else everything(strict=strict)
    # Nobody waits for this text as for an answer, and a long run of base64 is no reason to cut or to refuse it. Base64
    # is decoded from four places and base32 from eight, some of it again: eight bytes for each of the longest line.
    return replace(
        policy,
        hold=HoldBounds(max_bytes=MAX_LINE_BYTES),
        decoding=Decoding(max_bytes=_DECODED_FOR_A_BYTE * MAX_LINE_BYTES),
    )


def _read(file: Path) -> RedactionPolicy:
    from policies.compiler.compile import compile_redactions  # noqa: PLC0415  # as said above
    from policies.contracts.errors import PolicyRejected  # noqa: PLC0415  # as said above
    from policies.document.loader import load_documents  # noqa: PLC0415  # as said above

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
