# SPDX-License-Identifier: Apache-2.0
"""What the examination of answers costs: µs of CPU time, the least of some rounds.

    python -m benchmarks.answers [--rounds N] [--before CHECKOUT]

Every detector is on unless a row says else. Plain answers and streams are those of `benchmarks/traffic.py`: 0.7 KB, and
64 events of six characters, with addresses in them to be redacted; where nothing is to be found, each `@` is a space.
With `--before` another checkout is measured as well, in turns with this one, each in a process of its own: compare the
two columns of one run, not figures of two runs.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.traffic import stream_pieces, whole_answer
from policies.contracts.snapshot import Dialect
from policies.redaction.findings import Tally
from policies.redaction.rules import ActiveRules
from proxy_addons.core.answers import redact_answer
from tests.streams import CARD, EMAIL, by_length, event, rules, said, stream, wire

ROOT = Path(__file__).resolve().parent.parent
ARGUMENT_CHARS = 200_000
LENGTHS = (5, 40, 700, 4_000)
ALONE = ("payment-card", "email")
_TURNS = 3
# How long one measurement of one round takes, about.
_SECONDS = 0.04

Work = Callable[[], object]


def prose(length: int) -> str:
    """Return words and numbers in which nothing is found."""
    chance = random.Random(1)
    words = [
        *("when", "in", "the", "course", "of", "human", "events", "1776", "(sic)", "a", "well-known", "e.g.", "3.14"),
        *("or", "24/7", "home", "answer,", "is", "given", "A", "private", "-----"),
    ]
    return " ".join(chance.choices(words, k=length))[:length]


def text_rows(active: ActiveRules) -> Mapping[str, Work]:
    def whole(text: str, each: ActiveRules) -> Work:
        return lambda: each.whole(text, Tally())

    rows = {f"text of {length} characters": whole(prose(length), active) for length in LENGTHS}
    rows |= {f"text of 4000 characters, {name}": whole(prose(4_000), rules(detectors=(name,))) for name in ALONE}
    return rows | {"text of 40 characters with two findings": whole(f"{CARD}, {EMAIL}. ", active)}


def answer_rows(active: ActiveRules) -> Mapping[str, Work]:
    body = whole_answer().partition(b"\r\n\r\n")[2]
    clean = body.replace(b"@", b" ")
    spaced = json.dumps(json.loads(clean)).encode()

    def examined(raw: bytes, each: ActiveRules) -> Work:
        return lambda: redact_answer(raw, dialect=Dialect.CHAT, rules=each, max_bytes=100_000)

    return {
        "plain answer of 0.7 KB": examined(clean, active),
        "plain answer of 0.7 KB, five findings": examined(body, active),
        "plain answer of 0.7 KB with white space": examined(spaced, active),
        "plain answer of 0.7 KB, no rules": examined(clean, ActiveRules.none()),
    }


def stream_rows(active: ActiveRules) -> Mapping[str, Work]:
    found = [piece.split(b"\r\n", 1)[1].partition(b"\n\n")[0] + b"\n\n" for piece in stream_pieces()[1:]]
    clean = [piece.replace(b"@", b" ") for piece in found]

    def examined(pieces: list[bytes], each: ActiveRules) -> Work:
        def work() -> None:
            enforcer = stream(each)
            for piece in pieces:
                enforcer.feed(piece)
            enforcer.finish()

        return work

    rows: dict[str, Work] = {}
    for name, pieces, each in (
        ("", clean, active),
        (", four findings", found, active),
        (", no rules", clean, ActiveRules.none()),
    ):
        rows[f"stream of 64 events in one read{name}"] = examined([b"".join(pieces)], each)
        rows[f"stream of 64 events in eight reads{name}"] = examined(
            [b"".join(pieces[at : at + 8]) for at in range(0, len(pieces), 8)], each
        )
        rows[f"stream of 64 events, a read for each{name}"] = examined(pieces, each)
    return rows


def call_rows(active: ActiveRules) -> Mapping[str, Work]:
    arguments = json.dumps({"text": prose(ARGUMENT_CHARS)})
    pieces = [
        said({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}) for part in by_length(arguments, 40)
    ]
    sent = wire(*(event(piece) for piece in pieces), event(said({}, finish="tool_calls")))

    def work() -> None:
        enforcer = stream(active)
        enforcer.feed(sent)
        enforcer.finish()

    return {"stream with a tool call of 200 kB in 5000 events": work}


def measured(rounds: int) -> dict[str, float]:
    """Return µs for each row."""
    active = rules()
    rows = {**text_rows(active), **answer_rows(active), **stream_rows(active), **call_rows(active)}
    return {name: min(_microseconds(work) for _ in range(rounds)) for name, work in rows.items()}


def _microseconds(work: Work) -> float:
    began = time.process_time()
    work()
    once = max(time.process_time() - began, 1e-6)
    times = max(1, int(_SECONDS / once))
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1e6


def in_checkout(checkout: Path, rounds: int) -> dict[str, float]:
    """Return what this file measures of a checkout, in a process whose modules are those of the checkout."""
    told: Any = subprocess.run(
        [sys.executable, "-O", __file__, "--json", "--rounds", str(rounds)],
        env={**os.environ, "PYTHONPATH": str(checkout)},
        cwd=checkout,
        check=True,
        stdout=subprocess.PIPE,
    )
    return dict(json.loads(told.stdout))


def main(rounds: int, before: Path | None) -> None:
    checkouts = [ROOT] if before is None else [before.resolve(), ROOT]
    best: list[dict[str, float]] = [{} for _ in checkouts]
    for _ in range(_TURNS):
        for figures, checkout in zip(best, checkouts, strict=True):
            for name, value in in_checkout(checkout, rounds).items():
                figures[name] = min(value, figures.get(name, value))
    print(f"{'µs of CPU time':<56}" + ("" if before is None else f"{'before':>12}") + f"{'now':>12}")
    for name in best[-1]:
        print(f"{name:<56}" + "".join(f"{figures[name]:>12,.1f}" for figures in best))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT")
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.json:
        print(json.dumps(measured(arguments.rounds)))
    else:
        main(arguments.rounds, arguments.before)
