# SPDX-License-Identifier: Apache-2.0
"""`python -m proxy_addons.canary_trial`: try the canaries of a bundle in force. The node starts it; nobody else does.

It builds the policy as a worker does, from the same files and, where guards run in OPA, over the same OPA. A process of
its own, because that takes the processor for as long as a bundle is large, and requests wait for nobody's checks.
"""

# First of all: rego-cpp must be loaded before any other C++ library.
import policies.engines.rego_library  # noqa: F401  # isort: skip
import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Final

from policies.evaluation.canaries import CanaryFailed
from proxy_addons.logs import log_to_stderr
from proxy_addons.node.messages import ActivateBundle
from proxy_addons.node.posture_canaries import EXIT_FAILED, EXIT_NONE
from proxy_addons.parent_death import die_with_parent
from proxy_addons.policy_loading import CanaryAllowed, load_policy
from proxy_addons.prepared_policy import read_prepared
from proxy_addons.settings import NodeSettings

_NICER: Final = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="proxy_addons.canary_trial")
    for name in ("node-pid", "serial"):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in ("path", "guard-socket", "patterns"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args()
    die_with_parent(given.node_pid)
    os.nice(_NICER)
    settings = NodeSettings.read(os.environ)
    log_to_stderr(node=settings.node_id)
    order = ActivateBundle(
        serial=given.serial, path=given.path, guard_socket=given.guard_socket, patterns=given.patterns
    )
    if not read_prepared(Path(order.path)).snapshot.canaries:
        return EXIT_NONE
    try:
        policy = load_policy(order, settings)
    except (CanaryFailed, CanaryAllowed):
        return EXIT_FAILED
    asyncio.run(policy.guard.close())
    return 0


if __name__ == "__main__":
    sys.exit(main())
