# SPDX-License-Identifier: Apache-2.0
"""Check that the canaries of the policy in force are still answered as they expect, in a process beside the workers."""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Final

from policies.contracts.canaries import FAILED
from proxy_addons.node.messages import ActivateBundle
from proxy_addons.node.posture import Found, Outcome

_PROGRAM: Final = (sys.executable, "-O", "-m", "proxy_addons.canary_trial")
# A program that fails by itself ends with 1.
EXIT_FAILED: Final = 10
EXIT_NONE: Final = 11


async def check_canaries(bundle: ActivateBundle | None, *, program: Sequence[str] = _PROGRAM) -> Found:
    """Return what the canaries of `bundle` come to. Cancelled, it ends the process."""
    if bundle is None:
        return Found(Outcome.SKIPPED, "no-policy")
    process = await asyncio.create_subprocess_exec(
        *program,
        *("--node-pid", str(os.getpid()), "--serial", str(bundle.serial), "--path", bundle.path),
        *(f"--guard-socket={bundle.guard_socket}", f"--patterns={bundle.patterns}"),
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    match status:
        case 0:
            return Found(Outcome.PASSED, "as-expected")
        case code if code == EXIT_FAILED:
            return Found(Outcome.FAILED, FAILED)
        case code if code == EXIT_NONE:
            return Found(Outcome.SKIPPED, "no-canaries")
        case _:
            return Found(Outcome.SKIPPED, "not-checked")
