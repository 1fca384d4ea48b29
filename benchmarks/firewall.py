# SPDX-License-Identifier: Apache-2.0
"""What it costs to read a request body: strict JSON, every field checked, facts taken, written again.

    python benchmarks/firewall.py [--rounds N]

Processor time of one body, the least of the rounds, which are interleaved. `compact` is how most SDKs write JSON,
`spaced` how Python's `json` does by default; `json, twice` is reading and writing by the standard library, unchecked.
"""

import argparse
import gzip
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policies.contracts.snapshot import Dialect, Encoding, Route, UnknownFields
from proxy_addons.core.content_coding import decoded
from proxy_addons.core.request_reader import read_body

CALLS = 2_000
ROUTE = Route(
    id="chat", policy="routes", method="POST", path="/v1/chat/completions", operation="chat", dialect=Dialect.CHAT
)
PASSING = Route(
    id="chat",
    policy="routes",
    method="POST",
    path="/v1/chat/completions",
    operation="chat",
    dialect=Dialect.CHAT,
    unknown_fields=UnknownFields.PASS,
)


def body(chars: int, **changes: object) -> dict[str, object]:
    """Return a chat request with `chars` characters of text."""
    text = ("When in the course of human events, say 24/7: it is so. " * (chars // 50 + 1))[:chars]
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    return {"model": "parrot", "messages": messages, "temperature": 0.7, "max_tokens": 64, "stream": False} | changes


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def spaced(value: object) -> bytes:
    return json.dumps(value).encode()


def work() -> dict[str, Callable[[], object]]:
    """Return what is measured, by its name."""
    cases: dict[str, Callable[[], object]] = {}
    for name, chars in (("1 KB", 800), ("32 KB", 32_000)):
        for spelling in (compact, spaced):
            raw = spelling(body(chars))
            cases[f"{name}, {spelling.__name__}"] = lambda raw=raw: read_body(raw, ROUTE)
        plain = compact(body(chars))
        cases[f"{name}, json, twice"] = lambda raw=plain: compact(json.loads(raw))
        packed = gzip.compress(plain)
        cases[f"{name}, gzip"] = lambda raw=packed: read_body(decoded(raw, Encoding.GZIP, max_bytes=65_536), ROUTE)
    passed = compact(body(800, seed=7, top_k=40, repetition_penalty=1.1))
    cases["1 KB, unknown fields that pass"] = lambda: read_body(passed, PASSING)
    return cases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    cases = work()
    least = dict.fromkeys(cases, float("inf"))
    for _ in range(rounds):
        for name, call in cases.items():
            began = time.process_time()
            for _ in range(CALLS):
                call()
            least[name] = min(least[name], (time.process_time() - began) / CALLS)
    for name, taken in least.items():
        print(f"{name:<40} {taken * 1e6:>8.1f} µs")


if __name__ == "__main__":
    main()
