# SPDX-License-Identifier: Apache-2.0
"""`python -m benchmarks`: run every benchmark and print its table. Takes some ten minutes."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Each in a process of its own: what one has imported, and where it has pinned itself, is none of the next one's.
BENCHMARKS = {
    "The whole proxy, its HTTP layer, bare mitmdump, and other gateways": "benchmarks.pipeline --peers",
    "Streams at the pace of a model": "benchmarks.streams",
    "A durable record: strict, best-effort, none": "benchmarks.recording",
    "Two workers, and idle connections": "benchmarks.capacity",
    "Each stage of a request alone": "benchmarks.stages",
    "The body of a request, read and written again": "benchmarks.firewall",
    "One question to each engine": "benchmarks.engines",
    "The examination of an answer": "benchmarks.answers",
    "Redaction: throughput, latency, hold-back, hostile texts": "benchmarks.redaction",
    "Redaction: what it finds, and what it takes for something": "benchmarks.quality",
    "Records taken in by a control plane": "benchmarks.ingestion",
}


def main() -> int:
    failed = []
    for title, module in BENCHMARKS.items():
        print(f"\n== {title} (python -m {module}) ==", flush=True)
        if subprocess.run([sys.executable, "-m", *module.split()], cwd=ROOT, check=False).returncode:
            failed.append(module)
    for module in failed:
        print(f"{module} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
