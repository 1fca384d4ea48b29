# SPDX-License-Identifier: Apache-2.0
"""`python -m proxy_addons.node.pattern_compiler`: compiles patterns for a node, which starts it; nobody else does.

A process of its own, because it takes all of a processor for seconds: it is nicer than the workers, ends with its
memory, can be stopped, and takes nobody with it if hyperscan fails on what it was given.
"""

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from policies.scanning.kept import KeptDatabases
from policies.scanning.source import CannotScan, Source
from proxy_addons.parent_death import die_with_parent

_NICER: Final = 5
_EXIT_CANNOT: Final = 65


def main() -> int:
    """Compile each source, one a line of standard input, into the folder."""
    parser = argparse.ArgumentParser(prog="proxy_addons.node.pattern_compiler")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--node-pid", type=int, required=True)
    arguments = parser.parse_args()
    die_with_parent(arguments.node_pid)
    os.nice(_NICER)
    kept = KeptDatabases(arguments.folder)
    sources = [Source.from_json(line) for line in sys.stdin]
    try:
        # Hyperscan lets other threads run while it compiles.
        with ThreadPoolExecutor() as threads:
            list(threads.map(kept.of, sources))
    except CannotScan as exc:
        sys.stderr.write(f"{exc}\n")
        return _EXIT_CANNOT
    return 0


if __name__ == "__main__":
    sys.exit(main())
