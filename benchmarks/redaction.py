# SPDX-License-Identifier: Apache-2.0
"""What redaction costs, with every detector on: processor time of one core, in one run with Presidio's.

    python -m benchmarks.redaction [--rounds N] [--no-peer]

All that a text costs is in a figure: normalising, decoding, looking, validators, and writing what is left. Ours and the
peer's are timed in turns on the same texts; the least of the rounds stands. Compare ratios within one run.
"""

import argparse
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.presidio_peer import Presidio, presidio
from benchmarks.redaction_texts import blocks, english, hostile, multilingual, recorded_streams
from policies.contracts.decision import Mode
from policies.contracts.snapshot import (
    CustomDetector,
    CustomPattern,
    LiteralList,
    RedactionAction,
    RedactionPolicy,
    RedactionRule,
)
from policies.redaction.engine import Redaction
from policies.redaction.examination import Asked, everything, rules_of
from policies.redaction.findings import AnswerBlocked, Tally
from policies.redaction.rules import ActiveRules
from tests.streams import event, said, stream, wire

BLOCK_CHARS = 64 * 1024
ANSWER_CHARS = 4 * 1024
EVENT_CHARS = 40
HOSTILE_CHARS = 1_000_000
# As much as Presidio reads in a few seconds; ours is timed over all.
PEER_CHARS = 256 * 1024
PATTERNS, LITERALS = 1_000, 10_000

Work = Callable[[], object]


def cpu(work: Work) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def seconds(work: Work, rounds: int, *, least: float = 0.05) -> float:
    """Return the processor seconds of one call: the least of some rounds, each repeated until it can be measured."""
    times = max(1, int(least / max(cpu(work), 1e-6)))
    return min(cpu(lambda: [work() for _ in range(times)]) for _ in range(rounds)) / times


def active_of(policy: RedactionPolicy) -> ActiveRules:
    return rules_of(Redaction.of([policy]), Asked())


def over(active: ActiveRules, texts: Sequence[str]) -> Work:
    def work() -> None:
        for text in texts:
            active.whole(text, Tally())

    return work


def size_of(texts: Sequence[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def throughput(active: ActiveRules, peer: Presidio | None, rounds: int) -> None:
    prompts = english()
    plain = [text for text in prompts if text.isascii()]
    rows = {
        "English, in pieces of 64 KiB": blocks(prompts, BLOCK_CHARS),
        "the same, prompts of ASCII only": blocks(plain, BLOCK_CHARS),
        "the same, prompt by prompt": prompts,
        "13 languages, in pieces of 64 KiB": blocks([multilingual()], BLOCK_CHARS),
    }
    beside = "".join(f"{name:>14}{'ratio':>8}" for name in ("Presidio", "with phones"))
    print(f"\n{'MB/s of one core':<44}{'MB':>8}{'Gatehouse':>12}{beside}")
    for name, texts in rows.items():
        best, theirs = float("inf"), [float("inf")] * 2
        part = within(texts, PEER_CHARS)
        for _ in range(rounds):
            best = min(best, cpu(over(active, texts)))
            if peer is not None:
                theirs = [min(each, peer.seconds(part, phones=phones)) for phones, each in enumerate(theirs)]
        ours = size_of(texts) / best
        speeds = [size_of(part) / each for each in theirs] if peer else []
        beside = "".join(f"{speed:>14.3f}{ours / speed:>8,.0f}" for speed in speeds)
        print(f"{name:<44}{size_of(texts):>8.2f}{ours:>12.1f}{beside}")


def within(texts: Sequence[str], characters: int) -> list[str]:
    """Return the first of `texts` that have so many characters together, at least one."""
    taken = [texts[0][:characters]]
    for text in texts[1:]:
        if sum(map(len, taken)) + len(text) > characters:
            break
        taken.append(text)
    return taken


def latency(active: ActiveRules, rounds: int) -> None:
    text = "\n".join(text for text in english() if text.isascii())
    answers = blocks([text[: 64 * ANSWER_CHARS]], ANSWER_CHARS)
    events = blocks([text[: 64 * ANSWER_CHARS]], EVENT_CHARS)

    def streamed() -> None:
        redactor = active.stream(Tally())
        for piece in events:
            redactor.feed(piece)
        redactor.finish()

    print(f"\n{'µs of processor time':<64}{'':>12}")
    for name, work, count in (
        ("an answer of 4 KiB", over(active, answers), len(answers)),
        ("an event of 40 characters, of a stream of prose", streamed, len(events)),
    ):
        print(f"{name:<64}{seconds(work, rounds) / count * 1e6:>12.2f}")
    first = first_token(active, rounds)
    without = first_token(ActiveRules.none(), rounds)
    print(f"{'the first two events of a stream, every detector on':<64}{first * 1e6:>12.2f}")
    print(f"{'  of it added to what they take without rules':<64}{(first - without) * 1e6:>12.2f}")


def first_token(active: ActiveRules, rounds: int) -> float:
    sent = [wire(event(said({"role": "assistant", "content": ""})), done=False)]
    sent += [wire(event(said({"content": "Certainly, "})), done=False)]

    def work() -> None:
        enforcer = stream(active)
        for piece in sent:
            enforcer.feed(piece)

    return seconds(work, rounds)


def hold_back() -> None:
    """Print how much waits: what is found is masked, so that what has left can be counted in the text that came."""
    print(f"\n{'held back, at most':<52}{'streams':>10}{'characters':>12}{'events':>8}{'first after':>13}")
    rows: dict[str, list[list[str]]] = {"recorded streams": list(recorded_streams())}
    rows["prompts in events of four characters"] = [cut(text, 4) for text in english()[:1000]]
    for name, text in near_findings().items():
        rows[f"{name}"] = [cut(text, 4)]
    masking = active_of(everything_masked())
    for name, streams in rows.items():
        held = [measured for pieces in streams if (measured := held_of(masking, pieces))]
        if held:
            characters, events, first = (max(column) for column in zip(*held, strict=True))
            print(f"{name:<52}{len(held):>10}{characters:>12}{events:>8}{first:>13}")


def everything_masked() -> RedactionPolicy:
    policy = everything()
    return replace(policy, rules=tuple(replace(rule, action=RedactionAction.MASK) for rule in policy.rules))


def cut(text: str, length: int) -> list[str]:
    return [text[at : at + length] for at in range(0, len(text), length)]


def held_of(active: ActiveRules, pieces: Sequence[str]) -> tuple[int, int, int] | None:
    """Return the most characters held, the most events that one was held for, and how many until the first text left.

    None for an empty stream, for one that may not leave, and for one whose redaction has another length.
    """
    text = "".join(pieces)
    try:
        if not text or len(active.whole(text, Tally())) != len(text):
            return None
    except AnswerBlocked:
        return None
    redactor = active.stream(Tally())
    fed = left = most = longest = first = 0
    waiting: list[tuple[int, int]] = []
    for number, piece in enumerate(pieces):
        fed += len(piece)
        waiting.append((fed, number))
        try:
            left += len(redactor.feed(piece))
        except AnswerBlocked:  # more would have to wait than may: the stream is cut
            break
        first += not left and bool(piece)
        while waiting and waiting[0][0] <= left:
            longest = max(longest, number - waiting.pop(0)[1])
        most = max(most, fed - left)
    if waiting:
        longest = max(longest, len(pieces) - waiting[0][1])
    return most, longest, first


def near_findings() -> Mapping[str, str]:
    """Return texts that go on for long as a finding would, and are none."""
    chance = random.Random(3)
    letters = "".join(chance.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789", k=20_000))
    return {
        "digits with spaces": "4111 1111 1111 1112 " * 100,
        "digits without end": "1234567890" * 200,
        "a local part without end": f"{'a' * 2000}@",
        "a domain without end": f"a@{'b' * 60}{'.c' * 1000}",
        "letters and digits without end": letters,
        "the beginning of a token, and letters": f"token: eyJ{letters}",
        "the beginning of a URL with credentials": f"https://{'u' * 300}:{'p' * 3000}",
        "password = and no end": f"password = {letters}",
        "the beginning of a key, and dashes": "-----BEGIN " + "A " * 500,
        "escapes": "\\u0061" * 500,
        "percent escapes": "%61" * 500,
        "entities": "&#97;" * 500,
        "dashes": "-" * 2000,
        "zero-width characters behind a digit": "4" + "\u200b" * 2000,
    }


def own_detectors(rounds: int) -> None:
    """Print what a policy with many patterns and literals of its own costs beside one without."""
    chance = random.Random(4)
    words = sorted({word for text in english() for word in text.split() if word.isalpha() and word.isascii()})
    patterns = tuple(
        CustomDetector(
            id=f"own-{number}",
            kind="OWN",
            patterns=(CustomPattern(expression=f"{chance.choice(words)}-[0-9]{{{4 + number % 5}}}(?:-[a-z]{{2,6}})?"),),
        )
        for number in range(PATTERNS)
    )
    names = [" ".join(chance.choices(words, k=3)) for _ in range(LITERALS // 2)]
    keys = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=24)) for _ in range(LITERALS // 2)]
    literals = LiteralList(id="known", kind="KNOWN", values=tuple(sorted({*names, *keys})))
    texts = blocks(english(), BLOCK_CHARS)
    rows = {
        "every detector": with_own(),
        f"and {PATTERNS:,} patterns": with_own(detectors=patterns),
        f"and {LITERALS:,} literals": with_own(literals=(literals,)),
        "and both": with_own(detectors=patterns, literals=(literals,)),
    }
    ready = {}
    print(f"\n{'a policy with patterns of its own':<44}{'built in s':>12}{'MB/s':>12}{'times as long':>15}")
    for name, policy in rows.items():
        began = time.process_time()
        active = active_of(policy)
        active.whole("ready", Tally())
        ready[name] = (active, time.process_time() - began)
    best = dict.fromkeys(rows, float("inf"))
    for _ in range(rounds):
        for name, (active, _) in ready.items():
            best[name] = min(best[name], cpu(over(active, texts)))
    for name, (_, built) in ready.items():
        ratio = best[name] / best["every detector"]
        print(f"{name:<44}{built:>12.2f}{size_of(texts) / best[name]:>12.1f}{ratio:>15.2f}")


def with_own(**own: Any) -> RedactionPolicy:
    named = tuple(each.id for members in own.values() for each in members)
    replaced = (*everything().rules[0].detectors, *named)
    rule = RedactionRule(id="rule", detectors=replaced, action=RedactionAction.REPLACE)
    return RedactionPolicy(id="policy", version="1", mode=Mode.ENFORCE, operations=(), models=(), rules=(rule,), **own)


def adversarial(active: ActiveRules) -> None:
    print(f"\n{f'hostile texts of {HOSTILE_CHARS:,} characters':<44}{'s/MB whole':>12}{'s/MB in events':>16}  outcome")
    worst: tuple[float, str] = (0.0, "")
    for name, text in hostile(HOSTILE_CHARS).items():
        outcomes = []

        def whole(text: str = text, outcomes: list[str] = outcomes) -> None:
            try:
                outcomes.append("redacted" if active.whole(text, Tally()) != text else "as it was")
            except AnswerBlocked as blocked:
                outcomes.append(f"blocked by {blocked.rule}")

        def in_events(text: str = text) -> None:
            redactor = active.stream(Tally())
            try:
                for piece in cut(text[: HOSTILE_CHARS // 10], EVENT_CHARS):
                    redactor.feed(piece)
                redactor.finish()
            except AnswerBlocked:
                return

        per_mb = cpu(whole) / size_of([text])
        streamed = cpu(in_events) / size_of([text[: HOSTILE_CHARS // 10]])
        worst = max(worst, (per_mb, f"{name}, whole"), (streamed, f"{name}, in events"))
        print(f"{name:<44}{per_mb:>12.3f}{streamed:>16.3f}  {outcomes[0]}")
    print(f"worst: {worst[0]:.3f} s/MB ({worst[1]})")


def main(rounds: int, *, peers: bool) -> None:
    began = time.process_time()
    active = active_of(everything())
    active.whole("ready", Tally())
    print(f"every detector: ready in {time.process_time() - began:.2f} s of processor time")
    with presidio() as peer:
        if peer is None and peers:
            print("Presidio is not installed: make bench-peers")
        throughput(active, peer if peers else None, rounds)
    latency(active, rounds)
    hold_back()
    own_detectors(rounds)
    adversarial(active)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-peer", action="store_true", help="leave Presidio out")
    arguments = parser.parse_args()
    main(arguments.rounds, peers=not arguments.no_peer)
