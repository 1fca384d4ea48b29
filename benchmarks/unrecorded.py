# SPDX-License-Identifier: Apache-2.0
"""A node whose workers record nothing, for `benchmarks/recording.py` to compare with. There is no such setting.

Run as `python -m benchmarks.unrecorded` in place of `python -m proxy_addons`.
"""

# First of all: rego-cpp must be loaded before any other C++ library.
import policies.engines.rego_library  # noqa: F401  # isort: skip
import asyncio
import os
import sys

from proxy_addons.addons.record_decision import RecordDecision
from proxy_addons.clients.control_plane import ControlPlane
from proxy_addons.logs import log_to_stderr
from proxy_addons.node.node import Node
from proxy_addons.settings import NodeSettings

# What a benchmark knows workers by is among their arguments.
_WORKER = (sys.executable, "-O", "-c", "from benchmarks.unrecorded import work; work()", "proxy_addons.worker_main")


def work() -> None:
    """Be a worker that writes no record of any request."""
    from proxy_addons import worker_main  # noqa: PLC0415  # the node has no use for it

    async def leave_out(*_: object) -> None:
        return

    setattr(RecordDecision, "_write", leave_out)  # noqa: B010  # it is private
    del sys.argv[1]
    sys.exit(worker_main.main())


async def main() -> None:
    settings = NodeSettings.read(os.environ)
    log_to_stderr(node=settings.node_id)
    async with ControlPlane.connect(
        settings.api_url, environment=settings.environment, token_file=settings.agent_token_file
    ) as control_plane:
        await Node(settings, control_plane, program=_WORKER).run()


if __name__ == "__main__":
    asyncio.run(main())
