# SPDX-License-Identifier: Apache-2.0
"""What it costs to screen a prompt, and how many windows a second are screened.

    python -m benchmarks.screen [--seconds S] [--out FILE]

A prompt has 256 tokens of the encoder, of words in another order each. `one window` is the classifier alone, asked for
one text; `a whole prompt` is everything that the screen does of it: its views, windows and sentences, all three layers.
On one CPU core, and on the GPU where there is one: there windows of many requests go together, so its latency is that
of a batch.

Time is what passes, and beside it what the process itself ran: on a machine that does other things, the second is the
one that can be compared.
"""

import argparse
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from benchmarks.machine import hardware, wait
from inference.screen.encoder import Encoder
from inference.screen.opening import judge_by
from inference.screen.question import Input
from inference.screen.scorer import Scorer, open_scorer
from policies.screening.model import Origin

TOKENS = 256
PROMPTS = 50
CPU_BATCH, GPU_BATCHES = 32, (1, 64, 512)
WORDS = (
    *("the", "report", "says", "that", "revenue", "of", "this", "quarter", "grew", "by", "nine", "percent", "and"),
    *("costs", "fell", "in", "three", "regions.", "Please", "write", "a", "summary", "for", "our", "board,", "with"),
    *("one", "table", "per", "country.", "Customers", "asked", "about", "delivery", "times", "in", "March.", "We"),
    *("answered", "every", "letter", "within", "two", "days;", "most", "were", "satisfied.", "Thank", "you!"),
)


@dataclass(frozen=True)
class Row:
    what: str
    p50_ms: float
    p95_ms: float
    cpu_p50_ms: float
    cpu_p95_ms: float
    windows_per_s: float | None


def prompts() -> list[str]:
    """Return prompts of 256 tokens, the two marks at the ends included, each of its own."""
    encoder, chance = Encoder(), random.Random(20261122)

    def one() -> str:
        words = [chance.choice(WORDS) for _ in range(TOKENS)]
        while (over := encoder.count(" ".join(words)) - (TOKENS - 2)) > 0:
            del words[-max(1, over // 2) :]
        return " ".join(words)

    return [one() for _ in range(PROMPTS)]


def measured(what: str, ask: Callable[[], object], seconds: float, *, windows: int = 0, device: str = "cpu") -> Row:
    for _ in range(3):
        ask()
    took: list[float] = []
    ran: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(took) < 20:
        begun, ran_before = time.perf_counter(), time.process_time()
        ask()
        wait(device)
        took.append(time.perf_counter() - begun)
        ran.append(time.process_time() - ran_before)
    # On one core, a second of the core's own; on a GPU, a second that passes.
    each = sum(took if device == "cuda" else ran) / len(took)
    return Row(what, *_percentiles(took), *_percentiles(ran), windows / each if windows else None)


def _percentiles(values: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return 1e3 * ordered[len(ordered) // 2], 1e3 * ordered[int(len(ordered) * 0.95)]


def scored(scorer: Scorer, texts: Iterator[str], count: int) -> Callable[[], object]:
    origins = [Origin.USER] * count
    return lambda: scorer.score([next(texts) for _ in range(count)], origins)


def judged(scorer: Scorer, texts: Iterator[str]) -> Callable[[], object]:
    judge = judge_by(scorer)
    return lambda: judge.judge([Input(next(texts))], joined=False)


def on_one_core(texts: Iterator[str], seconds: float) -> list[Row]:
    rows = []
    for kind in ("ngram", "minilm"):
        scorer = open_scorer(kind)
        rows.append(measured(f"{kind}, one window", scored(scorer, texts, 1), seconds))
        rows.append(measured(f"{kind}, a whole prompt", judged(scorer, texts), seconds))
        many = scored(scorer, texts, CPU_BATCH)
        rows.append(measured(f"{kind}, {CPU_BATCH} windows at once", many, seconds, windows=CPU_BATCH))
    return rows


def on_the_gpu(texts: Iterator[str], seconds: float) -> list[Row]:
    scorer = open_scorer("minilm", "cuda")
    return [
        measured(
            f"minilm on the GPU, {count} windows at once",
            scored(scorer, texts, count),
            seconds,
            windows=count,
            device="cuda",
        )
        for count in GPU_BATCHES
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="What screening costs.")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each row")
    parser.add_argument("--out", type=Path, help="write the figures here too, as JSON")
    given = parser.parse_args()
    torch.set_num_threads(1)
    on_gpu = torch.cuda.is_available()
    texts = itertools.cycle(prompts())
    rows = on_one_core(texts, given.seconds) + (on_the_gpu(texts, given.seconds) if on_gpu else [])
    figures = {"hardware": hardware("cuda" if on_gpu else "cpu"), "rows": [asdict(row) for row in rows]}
    print(json.dumps(figures["hardware"], indent=1), end="\n\n")
    print("| | p50 ms | p95 ms | CPU p50 ms | CPU p95 ms | windows/s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        rate = f"{row.windows_per_s:,.0f}" if row.windows_per_s else ""
        times = (row.p50_ms, row.p95_ms, row.cpu_p50_ms, row.cpu_p95_ms)
        print(f"| {row.what} | {' | '.join(f'{each:.1f}' for each in times)} | {rate} |")
    if given.out:
        given.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
