# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.soak --minutes 30`: run a soak, print what was seen, exit 1 where something did not hold."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.soak.run import Plan, Report, soak


def show(report: Report) -> None:
    for title, counts in (("sent", report.sent), ("killed", report.killed), ("not available", report.unavailable)):
        print(f"{title}: {counts.total():,} ({', '.join(f'{name} {count:,}' for name, count in counts.most_common())})")
    print(f"policy changes: {report.changes}, decisions on record: {report.records:,}")
    for name, early, late in report.lives:
        print(f"memory of {name}: {early / 2**20:.0f} MiB early, {late / 2**20:.0f} MiB late")
    print(f"wrong: {len(report.wrong)}")
    for problem in report.wrong[:50]:
        print(f"  {problem}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatehouse-soak-") as folder:
        plan = Plan(seconds=arguments.minutes * 60, seed=arguments.seed)
        report = asyncio.run(soak(Path(folder) / "home", plan))
    show(report)
    sys.exit(1 if report.wrong else 0)
