# SPDX-License-Identifier: Apache-2.0
"""`python -m proxy_addons`: run a proxy node until SIGTERM or SIGINT."""

import asyncio
import os
import sys
from typing import Final

from proxy_addons.clients.control_plane import ControlPlane
from proxy_addons.logs import log_to_stderr
from proxy_addons.node.bundle_store import StateUnreadable
from proxy_addons.node.listeners import PortTaken
from proxy_addons.node.node import Node
from proxy_addons.node.node_files import NodeDirectoryTaken
from proxy_addons.settings import NodeSettings, SettingInvalid

_EXIT_CONFIGURATION: Final = 78  # EX_CONFIG of sysexits.h: starting again changes nothing


def main() -> int:
    try:
        settings = NodeSettings.read(os.environ)
        log_to_stderr(node=settings.node_id)
        asyncio.run(_run(settings))
    except (SettingInvalid, PortTaken, NodeDirectoryTaken, StateUnreadable) as exc:
        sys.stderr.write(f"gatehouse proxy: {exc}\n")
        return _EXIT_CONFIGURATION
    return 0


async def _run(settings: NodeSettings) -> None:
    async with ControlPlane.connect(
        settings.api_url, environment=settings.environment, token_file=settings.agent_token_file
    ) as control_plane:
        await Node(settings, control_plane).run()


if __name__ == "__main__":
    sys.exit(main())
