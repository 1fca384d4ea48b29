# SPDX-License-Identifier: Apache-2.0
"""What redaction costs: MB/s over a whole text, and microseconds for each piece of 40 characters of a stream.

Run: python -m benchmarks.redaction
"""

import time

from policies.contracts.decision import Mode
from policies.contracts.snapshot import RedactionAction, RedactionPolicy, RedactionRule
from policies.detectors.registry import DETECTOR_NAMES
from policies.redaction.engine import Redaction

PROSE = "The quick brown fox, aged 7, jumps over the lazy dog. Nothing of this is secret – not even on page 12. "
DENSE = "Card 4111 1111 1111 1111, mail alice@example.com, key AKIAIOSFODNN7EXAMPLE; and so on and on. "
PIECE_CHARS = 40


def main() -> None:
    rule = RedactionRule(id="rule", detectors=DETECTOR_NAMES, action=RedactionAction.REPLACE)
    policy = RedactionPolicy(id="policy", version="1", mode=Mode.ENFORCE, operations=(), models=(), rules=(rule,))
    rules = Redaction.of([policy]).rules_for(["policy"])
    for name, sentence in (("prose", PROSE), ("full of findings", DENSE)):
        text = sentence * 5_000
        started = time.perf_counter()
        rules.text(text)
        whole_s = time.perf_counter() - started
        pieces = [text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS)]
        stream = rules.stream()
        started = time.perf_counter()
        for piece in pieces:
            stream.feed(piece)
        stream.finish()
        each_us = (time.perf_counter() - started) / len(pieces) * 1e6
        print(f"{name}: {len(text.encode()) / whole_s / 1e6:.1f} MB/s whole, {each_us:.1f} us a piece of {PIECE_CHARS}")


if __name__ == "__main__":
    main()
