# SPDX-License-Identifier: Apache-2.0
"""What the redaction of answers costs. Run: `python benchmarks/redaction.py [--rounds N]` in the repository root.

Every detector is on. Prints the median of the rounds: MB/s for a text that is all there, µs for one event of a
stream with 40 bytes of text, and how long the last event of a choice with long tool calls takes, since they are held
until then.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policies.contracts.snapshot import Dialect
from policies.detectors.registry import DETECTORS
from policies.redaction.findings import Tally
from policies.redaction.rules import ActiveRules
from proxy_addons.core.answers import redact_answer
from tests.streams import CARD, EMAIL, by_length, event, rules, said, stream, wire

TEXT_BYTES = 1_000_000
EVENTS = 1_000
ARGUMENT_CHARS = 200_000
# Ends with a space, so that nothing is held when an event ends there.
EVENT_TEXT = "the model goes on to say what it thinks. "[-40:]


def prose(length: int) -> str:
    """Return words and numbers in which nothing is found."""
    chance = random.Random(1)
    words = [
        *("when", "in", "the", "course", "of", "human", "events", "1776", "(sic)", "a", "well-known", "e.g.", "3.14"),
        *("or", "24/7", "@home", "answer,", "is", "given", "A", "secret", "-----"),
    ]
    text = ""
    while len(text) < length:
        text += " ".join(chance.choices(words, k=200)) + ".\n"
    return text[:length]


def seconds(work: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def report(name: str, value: float, unit: str) -> None:
    print(f"{name:<58} {value:>10.1f} {unit}")


def measure_text(name: str, active: ActiveRules, text: str, rounds: int) -> None:
    report(name, len(text) / seconds(lambda: active.whole(text, Tally()), rounds) / 1e6, "MB/s")


def measure_events(name: str, active: ActiveRules, piece: str, rounds: int) -> None:
    sent = [wire(event(said({"content": piece})), done=False)] * EVENTS

    def feed() -> None:
        enforcer = stream(active)
        for each in sent:
            enforcer.feed(each)

    report(name, seconds(feed, rounds) / EVENTS * 1e6, "µs")


def measure_calls(active: ActiveRules, rounds: int) -> None:
    arguments = json.dumps({"text": prose(ARGUMENT_CHARS)})
    pieces = [
        said({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}) for part in by_length(arguments, 40)
    ]
    sent = wire(*(event(piece) for piece in pieces), done=False)
    last = wire(event(said({}, finish="tool_calls")))
    taken = []
    for _ in range(rounds):
        enforcer = stream(active)
        enforcer.feed(sent)
        taken.append(seconds(lambda enforcer=enforcer: enforcer.feed(last), 1))
    report("last event of 200 kB of arguments", statistics.median(taken) * 1e3, "ms")


def measure_answer(active: ActiveRules, rounds: int) -> None:
    message = {"role": "assistant", "content": prose(2_000)}
    body = {"id": "c", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    raw = json.dumps(body).encode()

    def redact() -> object:
        return redact_answer(raw, dialect=Dialect.CHAT, rules=active, max_bytes=100_000)

    report("plain answer of 2 kB", seconds(redact, rounds * 20) * 1e6, "µs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    active = rules()
    measure_text("whole text, every detector", active, prose(TEXT_BYTES), rounds)
    for detector in DETECTORS:
        measure_text(f"whole text, {detector.name}", rules(detectors=(detector.name,)), prose(TEXT_BYTES), rounds)
    measure_events("event of 40 bytes, nothing held, every detector", active, EVENT_TEXT, rounds)
    measure_events("event of 40 bytes, nothing held, no rules", ActiveRules(), EVENT_TEXT, rounds)
    measure_events("event of 40 bytes with a word held over, every detector", active, EVENT_TEXT.strip(), rounds)
    measure_events("event with a finding, every detector", active, f"{CARD}, {EMAIL}. ", rounds)
    measure_calls(active, rounds)
    measure_answer(active, rounds)


if __name__ == "__main__":
    main()
