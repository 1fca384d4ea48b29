# SPDX-License-Identifier: Apache-2.0
"""What each stage of a request costs alone, in one process and without a network: addon by addon, and the spool.

    python -m benchmarks.stages [--rounds N] [--before CHECKOUT]

Figures are µs of processor time a request, the least of the rounds: what a stage takes where nothing disturbs it. In a
worker each takes more, since others use the same caches. `--before` measures another checkout in the same run.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def one_round(checkout: Path) -> dict[str, float]:
    """Return the times of `checkout`, taken by this checkout's `stage_times` with that one's modules."""
    program = ROOT / "benchmarks" / "stage_times.py"
    done = subprocess.run(
        [sys.executable, "-O", "-P", program],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main(rounds: int, before: Path | None) -> None:
    checkouts = {"now": ROOT} if before is None else {"before": before.resolve(), "now": ROOT}
    least: dict[str, dict[str, float]] = {name: {} for name in checkouts}
    for _ in range(rounds):
        for name, checkout in checkouts.items():
            for stage, taken_us in one_round(checkout).items():
                least[name][stage] = min(least[name].get(stage, taken_us), taken_us)
    print(f"{'µs':<36}" + "".join(f"{name:>9}" for name in checkouts))
    for stage in least["now"]:
        print(f"{stage:<36}" + "".join(f"{least[name].get(stage, 0.0):>9.1f}" for name in checkouts))
    addons = [stage for stage in least["now"] if stage.split(":")[0].startswith(("request", "response"))]
    totals = (sum(least[name].get(stage, 0.0) for stage in addons) for name in checkouts)
    print(f"{'all addons':<36}" + "".join(f"{total:>9.1f}" for total in totals))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT")
    arguments = parser.parse_args()
    main(arguments.rounds, arguments.before)
