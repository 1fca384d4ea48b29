# SPDX-License-Identifier: Apache-2.0
"""`gatehouse screen`: judge texts here, without a server.

Neither torch nor the rules are imported before it is run: `gatehouse --help` imports this module.
"""

import sys
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from inference.screen.judge import Judge
    from inference.screen.scorer import Kind

_SCORER: Final = click.option(
    "--scorer",
    type=click.Choice(["auto", "minilm", "ngram"]),
    default="auto",
    show_default=True,
    help="The classifier: minilm needs torch, auto falls back to ngram without it.",
)
_REFUSED: Final = 1
_WRONG: Final = 2


@click.group(invoke_without_command=True)
@click.option("--jsonl", is_flag=True, help="Take and give one JSON object a line; else standard input is one text.")
@_SCORER
@click.option(
    "--threshold", type=click.FloatRange(0, 1), help="From which score on a text is an injection, whoever it is from."
)
@click.pass_context
def screen(context: click.Context, *, jsonl: bool, scorer: "Kind", threshold: float | None) -> None:
    """Say of texts on standard input how likely they hold an injection, without a server.

    With --jsonl each line is {"text": …}, with an "origin" if it is not a user's, or {"messages": […]}. It is
    answered, in its order, by a line {"score", "label", "threshold", "complete", "signals", "windows", "versions"},
    with its "id" if it has one. A line that cannot be judged is answered by {"error": …, "line": …}, and the command
    exits 1 at the end. No answer holds text.
    """
    if context.invoked_subcommand is None:
        judge = _open(scorer, threshold)
        refused = _judge_lines(judge) if jsonl else _judge_text(judge)
        if refused:
            click.echo(f"{refused} line(s) could not be judged; each has its error in its place", err=True)
            sys.exit(_REFUSED)
    elif jsonl or threshold is not None:
        raise click.UsageError(f"--jsonl and --threshold do not go before {context.invoked_subcommand}")


@screen.command("calibrate")
@click.option("--jsonl", is_flag=True, required=True, help="Take one JSON object a line, as screen does.")
@click.option(
    "--false-alarms",
    type=click.FloatRange(0.0001, 0.5),
    default=0.01,
    show_default=True,
    help="Which share of harmless texts may reach the threshold.",
)
@click.option("--origin", "origins", multiple=True, help="Only texts of this origin, such as tool-result; repeatable.")
@_SCORER
def calibrate(*, jsonl: bool, false_alarms: float, origins: tuple[str, ...], scorer: "Kind") -> None:  # noqa: ARG001 # other formats may come
    """Find thresholds for your own traffic: harmless texts in, classifier rules of a screening policy out.

    Each text of each line counts by itself, under its origin. The thresholds hold for texts like those that were given.
    """
    from inference.screen.calibrating import OutOfReach, TooFewTexts, calibrated, policy_snippet  # noqa: PLC0415
    from inference.screen.line_answers import scores_of  # noqa: PLC0415
    from inference.screen.lines import batches_of  # noqa: PLC0415
    from inference.screen.messages import LineRefused  # noqa: PLC0415
    from policies.screening.model import Origin  # noqa: PLC0415

    if unknown := set(origins) - {str(origin) for origin in Origin}:
        raise click.UsageError(f"--origin {min(unknown)}: there is none; they are {', '.join(Origin)}")
    judge = _open(scorer, None)
    scores: dict[Origin, list[float]] = {}
    try:
        for lines in batches_of(sys.stdin.buffer):
            for origin, score in scores_of(judge, lines):
                scores.setdefault(origin, []).append(score)
    except LineRefused as refused:
        # Thresholds of some of the texts would be taken for those of all.
        raise click.ClickException(str(refused)) from refused
    wanted = {origin: found for origin, found in scores.items() if not origins or origin in origins}
    if not wanted:
        raise click.ClickException("there are no texts of these origins on standard input")
    try:
        found = {origin: calibrated(each, false_alarms) for origin, each in sorted(wanted.items())}
    except (TooFewTexts, OutOfReach) as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(policy_snippet(found, false_alarms, judge.versions), nl=False)


def _open(scorer: "Kind", threshold: float | None) -> "Judge":
    """The judge. Says once, on standard error, which classifier it is where that was left open."""
    from inference.screen.opening import ScreenRefused, open_judge  # noqa: PLC0415 # imports the rules, and maybe torch

    try:
        judge = open_judge(scorer, threshold=threshold)
    except ScreenRefused as exc:
        click.echo(f"error: {exc}", err=True)
        sys.exit(_WRONG)
    if scorer == "auto" and judge.versions.classifier.startswith("ngram/"):
        click.echo("torch is not installed: the n-gram classifier judges, which finds less", err=True)
    return judge


def _judge_lines(judge: "Judge") -> int:
    """Answers what has arrived before it waits for more; returns how many lines were refused."""
    from inference.screen.line_answers import answers_of  # noqa: PLC0415 # as in _open
    from inference.screen.lines import batches_of  # noqa: PLC0415

    refused = 0
    for lines in batches_of(sys.stdin.buffer):
        for answer in answers_of(judge, lines):
            refused += not answer.readable
            sys.stdout.buffer.write(answer.written)
        sys.stdout.buffer.flush()
    return refused


def _judge_text(judge: "Judge") -> int:
    from inference.screen.line_answers import text_answer  # noqa: PLC0415 # as in _open
    from inference.screen.lines import MOST_BYTES  # noqa: PLC0415

    answer = text_answer(judge, sys.stdin.buffer.read(MOST_BYTES + 1))
    sys.stdout.buffer.write(answer.written)
    sys.stdout.buffer.flush()
    return not answer.readable
