# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.fuzz --seconds 600 [TARGET …]`: see the package."""

import argparse
import importlib.util
import resource
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.mutate import mutations
from tests.fuzz.targets import TARGETS

# One input may not take longer: a hang is a finding.
_INPUT_S = 5.0


def mutate(name: str, seconds: float, seed: int) -> int:
    """Give `name` mutations for `seconds`. Returns 1 at the first input for which something does not hold."""
    target, seeds = TARGETS[name]
    until, count, slowest = time.monotonic() + seconds, 0, 0.0
    for data in mutations(seeds, seed=seed):
        if time.monotonic() > until:
            break
        began = time.monotonic()
        try:
            target(data)
        except Exception as problem:  # whatever it is, it is what we look for
            print(f"{name}: {type(problem).__name__}: {problem}\n  {data!r}")
            return 1
        slowest = max(slowest, time.monotonic() - began)
        count += 1
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{name}: {count:,} inputs, the slowest {slowest * 1000:.0f} ms, at most {size / 1024:.0f} MiB")
    return 1 if slowest > _INPUT_S else 0


def guided(name: str, seconds: float) -> None:
    """Have Atheris look for inputs that reach new code. Ends the process."""
    import atheris  # an optional tool, no part of the environment

    target, seeds = TARGETS[name]
    folder = Path(f".fuzz/{name}")
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number}").write_bytes(seed)
    atheris.instrument_all()
    options = [f"-max_total_time={seconds:.0f}", f"-timeout={_INPUT_S:.0f}", "-rss_limit_mb=2048", "-max_len=16384"]
    atheris.Setup([sys.argv[0], *options, str(folder)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], default=[])
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--guided", action="store_true", help="by coverage, with Atheris")
    arguments = parser.parse_args()
    if arguments.guided and importlib.util.find_spec("atheris") is None:
        sys.exit("Atheris is not installed: pip install atheris")
    failed = 0
    for name in arguments.targets or TARGETS:
        if arguments.guided and len(arguments.targets) == 1:
            guided(name, arguments.seconds)
        elif arguments.guided:  # Atheris ends its process
            command = [sys.executable, "-m", "tests.fuzz", name, "--guided", "--seconds", str(arguments.seconds)]
            failed |= subprocess.run(command, check=False).returncode != 0
        else:
            failed |= mutate(name, arguments.seconds, arguments.seed)
    sys.exit(failed)
