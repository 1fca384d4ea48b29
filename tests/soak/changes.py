# SPDX-License-Identifier: Apache-2.0
"""Kill a control plane over SQLite in the middle of changes, again and again: `python -m tests.soak.changes --kills 100`."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.life_cycle_storm import kill_and_judge
from tests.served_control_planes import initialise, make_environment


def main() -> None:
    """Fail with the rule that was broken, or say how much was changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    kills = parser.parse_args().kills
    with tempfile.TemporaryDirectory() as folder:
        environment = make_environment(Path(folder))
        initialise(environment).check_returncode()
        storm = kill_and_judge(environment, kills=kills)
    sys.stdout.write(f"{kills} kills, every rule held; accepted: {storm.accepted}\n")


if __name__ == "__main__":
    main()
